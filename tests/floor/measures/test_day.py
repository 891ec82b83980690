import json
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta

import pytest

from vitrina.floor.measures.figures import tables
from vitrina.floor.measures.views import read_view

DAY = date(2026, 3, 10)
PEOPLE = ("ann", "bob", "cid", "dan", "eve", "fay")


def hours(day):
    return {row["hour"]: row["in"] for row in day.hourly}


def test_footfall_is_inbound_crossings_of_entrances_without_staff(story):
    story.enter("10:05", "ann", "bob")
    story.enter("10:06", "sue", role="staff")
    story.enter("10:10", "ann", line="aisle")
    story.leave("10:30", "ann")
    day = story.figures()
    assert day.figures["footfall"].value == 2
    assert day.figures["footfall"].note == "not audited"


def test_footfall_says_so_while_nobody_tells_customers_from_staff(story):
    story.enter("10:05", "ann", role="unknown")
    assert story.figures().figures["footfall"].note == "not audited; incl. staff"


def test_fewer_than_five_people_are_not_shown_and_nobody_is(story):
    story.enter("10:05", *PEOPLE[:4])
    day = story.figures(k_anonymity=5)
    assert day.figures["footfall"].value is None
    assert day.figures["footfall"].note == "fewer than 5 people: not shown"
    assert hours(day)["10:00"] is None
    assert hours(day)["11:00"] == 0


def test_five_people_are_shown(story):
    story.enter("10:05", *PEOPLE[:5])
    assert story.figures(k_anonymity=5).figures["footfall"].value == 5


def test_a_day_that_nobody_watched_is_not_a_day_without_people(story):
    story.receipt("11:00", "1", 500)
    story.add("gaps", story.at("10:00"), until_t=story.at("18:00"), gap_s=8 * 3600.0, reason="not running")
    day = story.figures()
    assert (day.figures["footfall"].value, day.figures["footfall"].note) == (None, "not watched")
    assert day.zones[0].visitors.note == "not watched"


def test_a_watched_day_without_people_has_nobody(story):
    story.watch("10:00", "18:00")
    assert story.figures().figures["footfall"].value == 0


def test_an_empty_day_has_figures_without_values(story):
    day = story.figures()
    assert day.figures["footfall"].value is None
    assert day.figures["dwell_median"].value is None
    assert day.figures["conversion"].note == "no receipts"
    assert day.watched_share is None
    assert (day.heat, day.paths, day.layout_ids) == (None, [], ())


def test_capture_rate_is_entries_among_entries_and_passers_by(story):
    story.enter("10:05", "ann", "bob")
    for person in ("ann", "pam", "pit", "pol"):
        story.visit("10:04", person, "street", 3.0)
    rate = story.figures().figures["capture_rate"]
    assert (rate.value, rate.n) == (pytest.approx(2 / 5), 5)
    assert rate.low < rate.value < rate.high


def test_occupancy_spreads_the_drift_over_the_crossings_once_the_shop_has_closed(story):
    story.enter("10:00", *PEOPLE[:4])
    story.leave("17:00", *PEOPLE[:2])
    day = story.figures()
    assert day.occupancy[-1]["people"] == 0
    assert day.figures["occupancy_peak"].value == 3  # 4 in, a third of a person each of them too many
    assert day.figures["occupancy_now"].note == "closed"


def test_occupancy_now_is_the_balance_before_closing(story):
    story.enter("10:00", *PEOPLE[:4])
    story.leave("11:00", "ann")
    day = story.figures(now=story.at("12:00"))
    assert day.figures["occupancy_now"].value == 3
    assert day.hourly[-1]["hour"] == "11:00"


def test_people_who_are_seen_inside_are_inside_whatever_the_door_says(story):
    for person in PEOPLE[:3]:
        story.visit("11:00", person, "shelf", 600.0)
    day = story.figures(now=story.at("11:05"))
    assert day.figures["occupancy_now"].value == 3


def test_an_hour_that_was_not_watched_is_unknown_and_not_empty(story):
    story.watch("10:00", "12:00")
    story.watch("13:00", "18:00")
    gap = {"until_t": story.at("13:00"), "gap_s": 3600.0, "reason": "stream lost"}
    story.add("gaps", story.at("12:00"), **gap)
    story.enter("11:30", *PEOPLE)
    day = story.figures()
    assert (hours(day)["11:00"], hours(day)["12:00"], hours(day)["13:00"]) == (6, None, 0)
    assert {row["hour"]: row["note"] for row in day.hourly}["12:00"] == "not watched"
    assert day.watched_share == pytest.approx(7 / 8)
    assert day.gaps[0]["gap_s"] == 3600.0
    assert {row["t"]: row["people"] for row in day.occupancy}["12:30"] is None


def test_an_hour_that_was_partly_watched_says_so(story):
    story.watch("10:00", "10:30")
    story.watch("11:00", "18:00")
    story.enter("10:10", *PEOPLE)
    first = story.figures().hourly[0]
    assert (first["in"], first["watched"], first["note"]) == (6, pytest.approx(0.5), "partly watched")


def test_a_figure_is_compared_with_the_same_week_day_of_four_weeks(story):
    for weeks, people in ((4, 2), (3, 2), (2, 3), (1, 3)):
        story.on(date(2026, 3, 10) - timedelta(weeks=weeks)).enter("11:00", *PEOPLE[:people])
    story.on(date(2026, 3, 9)).enter("11:00", *PEOPLE)
    story.on(date(2026, 3, 10)).enter("11:00", *PEOPLE)
    change = story.figures().figures["footfall"].change
    assert change.value == pytest.approx(6 - 2.5)
    assert change.low < 3.5 < change.high
    assert change.days == ("2026-03-03", "2026-02-24", "2026-02-17", "2026-02-10")


def test_a_day_that_is_not_over_is_compared_up_to_the_same_time(story):
    story.on(date(2026, 3, 3)).enter("11:00", *PEOPLE[:2])
    story.enter("15:00", *PEOPLE)
    story.on(date(2026, 3, 10)).enter("11:00", *PEOPLE[:3])
    change = story.figures(now=story.at("12:00")).figures["footfall"].change
    assert (change.value, change.low, change.days) == (1.0, None, ("2026-03-03",))


def test_a_day_with_a_gap_is_not_compared_with(story):
    story.on(date(2026, 3, 3)).watch("10:00", "14:00")
    story.enter("11:00", *PEOPLE[:2])
    story.on(date(2026, 3, 10)).enter("11:00", *PEOPLE)
    assert story.figures().figures["footfall"].change is None


def test_a_day_of_which_only_receipts_are_known_is_not_compared_with(story):
    story.on(date(2026, 3, 3)).receipt("11:00", "1", 500)
    story.on(date(2026, 3, 10)).enter("11:00", *PEOPLE)
    assert story.figures().figures["footfall"].change is None


def test_sales_are_not_compared_with_a_day_without_a_receipt(story):
    story.on(date(2026, 3, 3)).enter("11:00", *PEOPLE)
    story.on(date(2026, 3, 10)).enter("11:00", *PEOPLE)
    story.receipt("11:05", "1", 500)
    figures = story.figures().figures
    assert figures["footfall"].change.value == 0
    assert figures["conversion"].change is figures["shopper_yield"].change is None


def test_what_was_hidden_on_an_earlier_day_is_not_told_by_the_change(story):
    story.on(date(2026, 3, 3)).enter("11:00", *PEOPLE)
    story.visit("11:05", "ann", "shelf", 10.0)
    story.on(date(2026, 3, 10)).enter("11:00", *PEOPLE)
    for person in PEOPLE:
        story.visit("11:05", person, "shelf", 10.0)
    shelf = story.figures(k_anonymity=5).zones[0]
    assert (shelf.exposure.value, shelf.exposure.change) == (1.0, None)


def test_holding_power_is_about_those_who_stopped_and_no_others(story):
    for person in PEOPLE:
        story.visit("11:00", person, "shelf", 1.0)
    story.visit("11:10", "ann", "shelf", 77.0)
    shelf = story.figures(k_anonymity=5).zones[0]
    assert (shelf.stopping_power.value, shelf.stopping_power.n) == (pytest.approx(1 / 6), 6)
    assert (shelf.holding_power.value, shelf.holding_power.note) == (None, "fewer than 5 people: not shown")


def test_the_only_one_who_was_served_tells_nobody_how_long_they_waited(story):
    for person in PEOPLE:
        story.wait("11:00", person, 10.0, "abandoned")
    story.wait("11:00", "gus", 33.0)
    queue = story.figures(k_anonymity=5).queues[0]
    assert (queue.wait_median.value, queue.abandonment.n) == (None, 7)


def test_few_who_queue_again_and_again_are_few(story):
    for number, person in enumerate(PEOPLE[:5]):
        story.wait(f"11:0{number}", person, 300.0, "abandoned")
    for hour in range(12, 17):
        story.wait(f"{hour}:00", "ann", 33.0)
    day = story.figures(k_anonymity=5)
    (queue,) = day.queues
    for median, p90, abandonment in (
        (queue.wait_median, queue.wait_p90, queue.abandonment),
        tuple(day.figures[name] for name in ("queue_wait_median", "queue_wait_p90", "abandonment")),
    ):
        assert {(hidden.value, hidden.n, hidden.note) for hidden in (median, p90)} == {
            (None, None, "fewer than 5 people: not shown")
        }
        assert (abandonment.value, abandonment.n) == (0.5, 10)  # waits of five people


def test_the_length_of_a_queue_that_one_person_made_is_not_shown(story):
    for hour in range(11, 17):
        story.wait(f"{hour}:00", "ann", 60.0)
    (queue,) = story.figures(k_anonymity=5).queues
    assert (queue.length_max.value, queue.length_mean.value, queue.abandonment.value) == (None, None, None)


def test_a_day_on_which_few_queued_often_is_not_compared_with(story):
    for weeks, people in ((1, PEOPLE[:1]), (0, PEOPLE)):
        story.on(DAY - timedelta(weeks=weeks)).watch("10:00", "18:00")
        for number in range(6):
            story.wait(f"1{number + 1}:00", people[number % len(people)], 30.0)
    (queue,) = story.figures(k_anonymity=5).queues
    assert (queue.wait_median.value, queue.wait_median.change) == (30.0, None)


def test_many_visits_of_one_person_are_one_person(story):
    for minute in range(6):
        story.visit(f"11:{2 * minute:02}", "ann", "shelf", 10.0)
        story.visit(f"11:{2 * minute + 1:02}", "ann", "promo", 10.0)
    for person in PEOPLE[1:5]:
        story.visit("12:00", person, "street", 10.0)
    day = story.figures(k_anonymity=5)
    assert day.figures["dwell_median"].note == "fewer than 5 people: not shown"
    assert day.transitions == []


def test_so_few_people_cannot_be_read_off_the_curve_of_those_inside(story):
    story.enter("11:00", "ann")
    story.leave("13:00", "ann")
    day = story.figures(k_anonymity=5)
    assert day.occupancy == []


def test_how_few_came_in_cannot_be_reckoned_from_a_share_of_many(story):
    """12 people at the shelf, and an exposure of 600 %, would be two who came in."""
    story.enter("11:00", "ann", "bob")
    for number in range(12):
        story.visit("11:05", f"p{number}", "shelf", 10.0)
        story.visit("11:00", f"p{number}", "street", 3.0)
    day = story.figures(k_anonymity=5)
    shown = {
        name: figure.note
        for name, figure in (*day.figures.items(), ("exposure", day.zones[0].exposure))
        if name in ("footfall", "capture_rate", "exposure")
    }
    assert shown == dict.fromkeys(("footfall", "capture_rate", "exposure"), "fewer than 5 people: not shown")
    assert day.zones[0].visitors.value == 12


def test_how_few_passed_by_cannot_be_reckoned_from_the_capture_rate(story):
    story.enter("11:00", *PEOPLE)
    for person in ("pam", "pit"):
        story.visit("11:00", person, "street", 3.0)
    assert story.figures(k_anonymity=5).figures["capture_rate"].value is None
    assert story.figures(k_anonymity=2).figures["capture_rate"].value == pytest.approx(6 / 8)


def test_who_came_in_by_a_door_that_is_gone_came_in(story):
    story.on(date(2026, 3, 3)).enter("11:00", *PEOPLE)
    story.on(date(2026, 3, 10)).enter("11:00", *PEOPLE, line="gate")
    gate = replace(story.shop.layout.lines[0], slug="gate")
    story.shop = replace(story.shop, layout=replace(story.shop.layout, lines=(gate,)), other_entrances=("door",))
    footfall = story.figures().figures["footfall"]
    assert (footfall.value, footfall.change.value) == (6, 0)
    assert [row["entries"] for row in read_view(story.lake, "days", [story.shop], DAY, DAY, k=5).to_pylist()] == [6]


def test_spring_forward_makes_a_day_of_23_hours(kiosk):
    kiosk.on(date(2026, 3, 28)).enter("05:00", *PEOPLE)
    day = kiosk.figures()
    assert len(day.hourly) == 23
    assert "03:00" not in hours(day)
    assert (day.hourly[0]["hour"], day.hourly[-1]["hour"]) == ("04:00", "02:00")


def test_autumn_back_makes_a_day_of_25_hours_with_one_hour_twice(kiosk):
    kiosk.on(date(2026, 10, 24)).enter("05:00", *PEOPLE)
    kiosk.add(
        "crossings",
        datetime(2026, 10, 25, 1, 30, tzinfo=UTC),
        person_id="gus",
        line_id="door",
        direction="in",
        role="customer",
    )
    day = kiosk.figures()
    assert len(day.hourly) == 25
    assert [row["in"] for row in day.hourly if row["hour"] == "03:00"] == [0, 1]


def test_a_bar_that_closes_at_two_has_one_day(bar):
    bar.enter("20:30", *PEOPLE[:2])
    bar.enter("01:30", "eve")
    day = bar.figures()
    assert day.figures["footfall"].value == 3
    assert [row["hour"] for row in day.hourly] == ["20:00", "21:00", "22:00", "23:00", "00:00", "01:00"]


def test_rows_of_two_layouts_and_the_simulator_are_named(story):
    story.enter("11:00", *PEOPLE)
    story.rows["crossings"][0] |= {"layout_id": "layout-0", "simulated": True}
    day = story.figures()
    assert day.layout_ids == ("layout-0", "layout-1")
    assert day.simulated


def test_heat_is_one_grid_over_hours_and_cameras(story):
    for camera, hour, ix, iy in (("a", "10:00", 4, 2), ("b", "10:00", 4, 2), ("a", "11:00", 6, 3)):
        story.add("heat", story.at(hour), camera_id=camera, ix=ix, iy=iy, cell_cm=25, seconds=10.0)
    heat = story.figures().heat
    assert (heat.x0, heat.y0, heat.nx, heat.ny) == (100, 50, 3, 2)
    assert heat.seconds == [[20.0, 0.0, 0.0], [0.0, 0.0, 10.0]]


def test_the_figures_are_json_and_every_table_says_whose_they_are(story):
    story.enter("11:00", *PEOPLE)
    for person in PEOPLE:
        story.visit("11:01", person, "shelf", 6.0)
        story.visit("11:02", person, "promo", 20.0)
    day = story.figures(k_anonymity=5)
    assert json.loads(json.dumps(asdict(day)))["figures"]["footfall"]["value"] == 6
    exported = tables(day)
    assert exported["paths"].to_pylist() == [
        {"shop": "riga-1", "day": "2026-03-10", "simulated": False, "path": "shelf > promo", "people": 6}
    ]
    assert {row["name"] for row in exported["zones"].to_pylist()} >= {"dwell_median", "stopping_power"}
    assert all(table.column_names[:3] == ["shop", "day", "simulated"] for table in exported.values())
