"""What others are told: counts of now as they are, numbers over time only when enough people stand behind them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.bulletin import camera_events, day_data, hour_data, readings, summary
from vitrina.floor.layout import CameraLayout, Hours, Layout, Plan, Shop, Zone
from vitrina.floor.measures.day import day_figures
from vitrina.floor.measures.running import RunningDay, Stays, running_day
from vitrina.floor.setup.shops import load_shop

SQUARE = ((0.0, 0.0), (1.0, 0.0), (1.0, 1.0))
DOOR = CameraLayout("door", "Above the door", "webcam:0", (1280, 720))
SHOP = Shop(
    "riga",
    "Riga",
    "Europe/Riga",
    "EUR",
    Layout(
        "l1",
        datetime(2026, 1, 1, tzinfo=UTC),
        Plan(8, 6),
        cameras=(DOOR, CameraLayout("till", "Till", "loop:a.mp4", (640, 480)), CameraLayout("f", "F", "a.mp4", (1, 1))),
        zones=(Zone("shelf", "Shelf", "section", SQUARE), Zone("tills", "Tills", "queue", SQUARE)),
    ),
)
DAY = date(2026, 3, 10)


def health(**given: Any) -> dict[str, Any]:
    return {"state": "running", "people": 3, "fps_got": 9.7, "problems": [], "inside": {"shelf": 2}} | given


def told(healths: dict[str, dict[str, Any]], running: RunningDay | None = None) -> dict[str, str | None]:
    return {"/".join(one.topic): one.value for one in readings(SHOP, healths, running, k_anonymity=5)}


def test_a_shop_says_how_many_are_where_now() -> None:
    running = RunningDay(DAY, footfall=41, inside=7)

    found = told(
        {"door": health(), "till": health(people=1, inside={"shelf": 1, "tills": 1}, problems=["dark"])}, running
    )

    assert found == {
        "riga/occupancy": "7",
        "riga/footfall": "41",
        "riga/zone/shelf/people": "3",
        "riga/zone/tills/people": "1",
        "riga/door/connected": "ON",
        "riga/door/people": "3",
        "riga/door/fps": "10",
        "riga/door/problem": "OFF",
        "riga/door/problems": "none",
        "riga/till/connected": "ON",
        "riga/till/people": "1",
        "riga/till/fps": "10",
        "riga/till/problem": "ON",
        "riga/till/problems": "dark",
    }


def test_what_no_camera_sees_is_not_known_rather_than_nobody() -> None:
    found = told({"door": health(state="lost")})

    assert found["riga/door/connected"] == "OFF"
    assert [found[name] for name in ("riga/door/people", "riga/zone/shelf/people", "riga/footfall")] == [None] * 3


def test_a_footfall_of_a_few_is_not_told_but_none_and_many_are() -> None:
    counts = {count: told({}, RunningDay(DAY, footfall=count))["riga/footfall"] for count in (0, 1, 4, 5)}

    assert counts == {0: "0", 1: None, 4: None, 5: "5"}


@given(st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 3)), max_size=40))
def test_summaries_hide_small_groups_and_lose_and_double_nobody(steps: list[tuple[int, int, int]]) -> None:
    memory: dict[str, Any] = {}
    totals, sums = {"in": 0, "out": 0, "shelf": 0}, {"in": 0, "out": 0, "shelf": 0}
    for came, went, stayed in steps:
        for name, more in (("in", came), ("out", went), ("shelf", stayed)):
            totals[name] += more
        running = RunningDay(
            DAY,
            lines={("door", "in"): totals["in"], ("door", "out"): totals["out"]},
            zones={"shelf": Stays(totals["shelf"], totals["shelf"], 12.0)},
        )
        said, memory = summary(running, memory, k_anonymity=5)
        for crossing in said.get("crossings", []):
            assert crossing["people"] >= 5
            sums[crossing["direction"]] += crossing["people"]
        for visit in said.get("visits", []):
            assert (visit["visits"] >= 5, visit["dwell_median_s"]) == (True, 12.0)
            sums["shelf"] += visit["visits"]
    for name in totals:
        assert 0 <= totals[name] - sums[name] < 5


def test_visits_wait_for_people_and_not_for_visits() -> None:
    def heard(memory: dict[str, Any], *stays: Any) -> tuple[Any, dict[str, Any]]:
        return summary(RunningDay(DAY, zones={"shelf": Stays(*stays)}), memory, k_anonymity=5)

    one, memory = heard({}, 9, 1, 300.0)
    six, memory = heard(memory, 15, 6, 40.0)
    four_more, memory = heard(memory, 30, 10, 41.0)
    five_more, memory = heard(memory, 31, 11, 42.04)

    assert one == four_more == {}
    assert six["visits"] == [{"zone": "shelf", "visits": 15, "dwell_median_s": 40.0}]
    assert five_more["visits"] == [{"zone": "shelf", "visits": 16, "dwell_median_s": 42.0}]


def test_a_new_day_begins_at_nothing() -> None:
    _, memory = summary(RunningDay(DAY, lines={("door", "in"): 100}), {}, k_anonymity=5)

    said, _ = summary(RunningDay(date(2026, 3, 11), lines={("door", "in"): 6}), memory, k_anonymity=5)

    assert said["crossings"] == [{"line": "door", "direction": "in", "people": 6}]


def test_a_camera_is_lost_once_and_recovers_once() -> None:
    condition: dict[str, Any] = {}
    heard = []
    for now in (health(), None, health(state="lost"), health(), health(problems=["dark"]), None, health(), health()):
        events, condition = camera_events(SHOP, DOOR, now, condition)
        heard.append([(event, data.get("from") or data.get("problems")) for event, data in events])

    assert heard == [
        [],
        [("camera.lost", None)],
        [],
        [("camera.recovered", "lost")],
        [("camera.problem", ["dark"])],
        [("camera.lost", None)],
        [("camera.recovered", "lost"), ("camera.recovered", "dark")],
        [],
    ]


def test_today_until_now_is_what_the_page_counts(chain_home: Any) -> None:
    now, lake = datetime(2026, 3, 10, 15, 30, tzinfo=UTC), chain_home.lake()
    database = chain_home.database()
    with database.reading() as session:
        shop = load_shop(session, "demo-berlin")
    database.dispose()

    running = running_day(lake, shop, now)

    figures = day_figures(lake, shop, DAY, k_anonymity=5, now=now)
    assert running.footfall == figures.figures["footfall"].value
    assert running.simulated
    assert running.inside is not None
    assert abs(running.inside - (figures.occupancy[-1]["people"] or 0)) <= 3  # the page also looks who is seen in zones
    assert sum(stays.visits for stays in running.zones.values()) > 100
    for zone in figures.zones:
        stays = running.zones[zone.zone]
        assert (stays.people, stays.dwell_median_s) == (zone.visitors.value, pytest.approx(zone.dwell_median.value))


def test_nobody_is_inside_once_the_shop_has_closed(chain_home: Any) -> None:
    now, lake = datetime(2026, 3, 10, 15, 30, tzinfo=UTC), chain_home.lake()
    database = chain_home.database()
    with database.reading() as session:
        shop = load_shop(session, "demo-berlin")
    database.dispose()

    def inside(*hours: Hours) -> int | None:
        return running_day(lake, replace(shop, opens=(hours,) * 7), now).inside

    open_until_20, closed_at_16 = Hours(time(9), time(20)), Hours(time(14), time(16))
    assert (inside(open_until_20) or 0) > 0
    assert inside(Hours(time(9), time(13)), closed_at_16) == 0
    assert inside() == inside(Hours(time(4), time(4))) == inside(open_until_20)


def test_a_day_and_its_hours_are_told_as_the_page_shows_them(chain_home: Any) -> None:
    lake, database = chain_home.lake(), chain_home.database()
    with database.reading() as session:
        shop = load_shop(session, "demo-berlin")
    database.dispose()
    figures = day_figures(lake, shop, date(2026, 3, 9), k_anonymity=5)
    busy = max(figures.hourly, key=lambda hour: hour["in"] or 0)

    day, hour = day_data(figures), hour_data(figures, busy["t"])

    assert (day["shop"], day["day"], day["simulated"]) == ("demo-berlin", "2026-03-09", True)
    assert day["figures"]["footfall"]["value"] == figures.figures["footfall"].value
    assert {"heat", "paths", "transitions", "occupancy"} & day.keys() == set()
    assert hour is not None
    assert (hour["in"], hour["shop"]) == (busy["in"], "demo-berlin")
    assert hour_data(figures, "2026-03-09T02:00:00Z") is None
    assert hour_data(replace(figures, hourly=[]), busy["t"]) is None
