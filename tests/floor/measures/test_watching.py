"""How cameras are doing, out of what workers say and what the lake holds; strips of time against plain arithmetic."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.camera.health import PROBLEMS, Health
from vitrina.floor.layout import CameraLayout, Layout, Plan, Shop
from vitrina.floor.measures.watching import ADVICE, WATCHING, by_camera, camera_now, said_lately, strip, worst_first

NOW = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)  # 14:00 in Riga; the shop is open from 10 to 18
LIVE = CameraLayout("door", "Door", "loop:clip.mp4", (640, 360))
START = NOW - timedelta(hours=24)
ALWAYS = Shop("x", "X", "UTC", "EUR", Layout("l", datetime(2026, 1, 1, tzinfo=UTC), Plan(1, 1)))


@pytest.fixture
def here(story):
    return replace(story.shop, layout=replace(story.shop.layout, cameras=(LIVE,)))


def running(**changes):
    return (
        Health(fps_wanted=5.0, state="running").snapshot()
        | {"last_wall_s": NOW.timestamp() - 2, "fps_got": 5.0}
        | changes
    )


def drawn(here, quarters, gaps=(), *, expected=True):
    return strip(here, quarters, gaps, start=START, slots=96, slot_s=900.0, now=NOW, expected=expected)


def test_the_workers_word_counts_most(here):
    found = camera_now(here, LIVE, running(), None, NOW)
    assert (found.state, found.level, found.troubles) == ("running", "ok", ())
    assert (found.fps_got, found.fps_wanted) == (5.0, 5.0)


@pytest.mark.parametrize(
    ("answer", "level", "troubles"),
    [
        (running(state="lost", last_error="timed out"), "fail", ("lost",)),
        (running(problems=["dark"]), "warn", ("dark",)),
        (running(fps_got=1.2), "warn", ("slow",)),
        (running(lag_s=9.0), "warn", ("late",)),
        (running(state="starting"), "warn", ()),
    ],
)
def test_trouble_is_named_with_what_to_do(here, answer, level, troubles):
    found = camera_now(here, LIVE, answer, None, NOW)
    assert (found.level, found.troubles) == (level, troubles)
    assert all(ADVICE[trouble] for trouble in troubles)


def test_every_problem_of_a_picture_has_advice():
    assert set(PROBLEMS) <= set(ADVICE)


@pytest.mark.parametrize(
    ("newest", "state"),
    [(None, "never"), (NOW - timedelta(minutes=3), "watched"), (NOW - timedelta(minutes=30), "silent")],
)
def test_without_a_worker_the_newest_minute_tells(here, newest, state):
    assert camera_now(here, LIVE, None, newest, NOW).state == state


def test_a_recording_is_not_missed_and_a_simulated_camera_is_called_so(here):
    for source, state in (("clip.mp4", "recording"), ("", "simulated")):
        found = camera_now(here, replace(LIVE, source=source), None, NOW - timedelta(days=3), NOW)
        assert (found.state, found.level) == (state, "none")


def test_those_in_trouble_stand_first(here):
    well = camera_now(here, LIVE, running(), None, NOW)
    lost = camera_now(here, replace(LIVE, slug="till"), running(state="lost"), None, NOW)
    assert [one.camera for one in worst_first([well, lost], {here.slug: here.name})] == ["till", "door"]


def test_not_watched_while_open_is_a_gap_and_while_closed_nothing(here):
    quarters = {START + timedelta(minutes=15 * number): 900.0 for number in range(80, 88)}
    fills = drawn(here, quarters).fills
    assert fills[80:88] == ("full",) * 8  # 8:00 to 10:00 UTC: watched
    assert fills[88:95] == ("gap",) * 7  # until just before now
    assert set(fills[24:80]) == {"off"}  # 16:00 to 8:00 UTC: closed
    assert drawn(here, quarters, expected=False).fills[88] == "off"


def test_a_gap_on_record_shows_without_opening_hours(here):
    gap = (NOW - timedelta(hours=20), NOW - timedelta(hours=19))
    assert drawn(here, {}, [gap], expected=False).fills[16:20] == ("gap",) * 4


def test_nothing_is_missed_before_the_camera_was_there(here):
    new = replace(here, layout=replace(here.layout, valid_from=NOW - timedelta(hours=1)))
    fills = drawn(new, {}).fills
    assert fills.count("gap") == 4
    assert set(fills[:92]) == {"off"}


@given(st.lists(st.tuples(st.integers(0, 1440), st.integers(1, 300)), max_size=6), st.integers(0, 95))
def test_shares_are_what_minutes_say(spans, slot):
    gaps = [(START + timedelta(minutes=first), START + timedelta(minutes=first + length)) for first, length in spans]
    watched = {START + timedelta(minutes=15 * slot): 450.0}
    found = strip(ALWAYS, watched, gaps, start=START, slots=96, slot_s=900.0, now=NOW, expected=False)
    minutes = {minute for first, length in spans for minute in range(first, min(first + length, 1440))}
    due = sum(
        max(450.0 if place == slot else 0.0, 60.0 * len(minutes & set(range(place * 15, place * 15 + 15))))
        for place in range(96)
    )
    assert found.share == pytest.approx(min(1.0, 450.0 / due))


def test_what_a_worker_elsewhere_put_on_record_lately_counts(lake, story, here):
    row = dict.fromkeys(("fps_claimed", "running_s", "watched_s"), 300.0)
    row |= {"state": "lost", "fps_wanted": 5.0, "fps_got": 0.0, "lag_s": 0.2, "frames": 9, "dropped": 3, "damaged": 0}
    row |= {"reconnects": 4, "clock_jumps": 0, "problems": "dark,covered", "last_error": "timed out"}
    story.add("health", NOW - timedelta(minutes=15), **row | {"state": "running", "problems": ""}, camera_id="door")
    story.add("health", NOW - timedelta(minutes=7), **row, camera_id="door")
    story.store()
    rows = WATCHING["newest_health"]({"health": lake.expr("health")}).to_pyarrow()
    said = said_lately(rows, NOW)[here.slug, "door"]
    found = camera_now(here, LIVE, said, None, NOW)
    assert (found.state, found.troubles) == ("lost", ("lost", "dark", "covered"))
    assert (found.reconnects, found.dropped, found.error) == (4, 3, "timed out")
    assert said_lately(rows, NOW + timedelta(minutes=30)) == {}


def test_the_lake_gives_quarters_of_an_hour(lake, story):
    story.watch("10:00", "10:20")
    story.store()
    tables = {name: lake.expr(name) for name in ("presence", "gaps")}
    found = by_camera(WATCHING["minutes_by_quarter"](tables).to_pyarrow())
    begin = datetime(2026, 3, 10, 8, 0, tzinfo=UTC)
    assert found == {("riga-1", "cam"): {begin: 900.0, begin + timedelta(minutes=15): 300.0}}
