from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.counting.presence import Gap, Minute, PresenceCounter


def run(moments: Any, counter: PresenceCounter | None = None) -> list[Minute | Gap]:
    counter = counter or PresenceCounter()
    found = [row for t, people in moments for row in counter.update(people, t)]
    return found + counter.finish()


def every(step_s: float, start: float, end: float, people: int) -> list[tuple[float, int]]:
    return [(start + n * step_s, people) for n in range(round((end - start) / step_s))]


def test_a_minute_has_its_mean_its_most_and_the_seconds_that_were_watched() -> None:
    rows = run([*every(0.5, 60, 90, 2), *every(0.5, 90, 120, 4), (120.0, 0), (120.5, 0)])

    assert rows == [Minute(60.0, 3.0, 4, 60.0), Minute(120.0, 0.0, 0, 0.5)]


def test_a_stream_that_drops_for_10_min_is_on_record_as_a_gap_not_as_empty_shop() -> None:
    rows = run([*every(0.2, 0, 30, 3), *every(0.2, 630, 660, 3)])

    gap = next(row for row in rows if isinstance(row, Gap))
    minutes = [row for row in rows if isinstance(row, Minute)]
    assert (gap.t, gap.until, gap.reason) == (pytest.approx(29.8), 630.0, "no frames")
    assert gap.gap_s == pytest.approx(600.2)
    assert [(row.t, row.people_mean) for row in minutes] == [(0.0, pytest.approx(3)), (600.0, pytest.approx(3))]
    assert [row.watched_s for row in minutes] == [pytest.approx(29.8), pytest.approx(29.8)]


def test_a_gap_within_a_minute_leaves_one_row_for_the_minute() -> None:
    rows = run([*every(0.2, 0, 10, 1), *every(0.2, 40, 50, 3)])

    assert [(row.t, row.people_max) for row in rows if isinstance(row, Minute)] == [(0.0, 3)]
    assert sum(row.watched_s for row in rows if isinstance(row, Minute)) == pytest.approx(19.6)


def test_a_clock_that_jumps_back_is_on_record_and_late_frames_are_left_out() -> None:
    rows = run([*every(0.5, 7200, 7210, 1), (7208.5, 9), *every(0.5, 3600, 3610, 1)])

    assert [(row.t, row.reason) for row in rows if isinstance(row, Gap)] == [(3600.0, "clock set back")]
    assert [(row.t, row.people_max) for row in rows if isinstance(row, Minute)] == [(7200.0, 1), (3600.0, 1)]


def test_the_time_between_stop_and_start_is_a_gap_not_running() -> None:
    first, second = PresenceCounter(), PresenceCounter()
    for t, people in every(0.5, 0, 20, 2):
        assert first.update(people, t) == []
    second.restore(json.loads(json.dumps(first.state())))

    rows = run(every(0.5, 50, 60, 4), second)

    assert rows == [
        Gap(19.5, 50.0, 30.5, "not running"),
        Minute(0.0, pytest.approx((19.5 * 2 + 9.5 * 4) / 29), 4, 29.0),
    ]


def test_nothing_watched_is_no_row() -> None:
    assert run([]) == []
    assert run([(5.0, 3)]) == []


@given(st.lists(st.tuples(st.floats(0.01, 100), st.integers(0, 9)), min_size=2, max_size=60))
def test_watched_seconds_and_gaps_make_up_the_whole_time(steps: Any) -> None:
    t, moments = 1000.0, []
    for step_s, people in steps:
        t += step_s
        moments.append((t, people))

    rows = run(moments)

    watched_s = sum(row.watched_s for row in rows if isinstance(row, Minute))
    gap_s = sum(row.gap_s for row in rows if isinstance(row, Gap))
    assert watched_s + gap_s == pytest.approx(moments[-1][0] - moments[0][0], abs=1e-4)
    for row in rows:
        if isinstance(row, Minute):
            assert row.t % 60 == 0
            assert 0 < row.watched_s <= 60 + 1e-6
            assert 0 <= row.people_mean <= row.people_max
