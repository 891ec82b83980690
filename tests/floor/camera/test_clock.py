"""Streams whose clocks lie in every way that cameras know, on a machine whose clock is set while we watch."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.camera.clock import StreamClock

WALL = 1_790_000_000.0
HOUR_S = 3600.0


def run(
    clock: StreamClock,
    moments_s: np.ndarray,
    *,
    pts=lambda s: s,
    delay=lambda s: 0.02,
    wall=lambda s: WALL + s,
) -> tuple[np.ndarray, np.ndarray]:
    """Moments at which pictures were really taken, and the times they were given, without those left out."""
    kept = []
    for s in moments_s:
        arrived = s + delay(s)
        t = clock.take(pts(s), mono_s=1000.0 + arrived, wall_s=wall(arrived))
        if t is not None:
            kept.append((s, t - WALL))
    return np.array([s for s, _ in kept]), np.array([t for _, t in kept])


def at(fps: float, seconds: float, begin: float = 0.0) -> np.ndarray:
    return begin + np.arange(int(seconds * fps)) / fps


def test_a_streams_own_clock_keeps_the_true_distance_through_an_uneven_network() -> None:
    late = np.random.default_rng(1).uniform(0.0, 0.4, 1000)

    moments, times = run(StreamClock(), at(25, 40), pts=lambda s: 77.0 + s, delay=lambda s: late[int(s * 25)])

    settled = moments > 1.0
    assert np.abs(np.diff(times[settled]) - np.diff(moments[settled])).max() < 0.02
    assert np.abs(times - moments).max() < 0.45


def test_25_claimed_and_21_delivered_makes_no_difference() -> None:
    moments, times = run(StreamClock(), at(21, 30))

    assert len(times) == 630
    assert np.abs(times - moments).max() < 0.03


@pytest.mark.parametrize("jump_s", [HOUR_S, -HOUR_S, 90.0, -1.5])
def test_a_camera_clock_that_jumps_leaves_times_as_they_are(jump_s: float) -> None:
    clock = StreamClock()

    moments, times = run(clock, at(25, 60), pts=lambda s: 9000.0 + s + (jump_s if s >= 20 else 0.0))

    assert np.abs(times - moments).max() < 0.1
    assert len(times) == 1500
    assert clock.jumps == 1


def test_frames_out_of_order_are_left_out() -> None:
    moments = at(25, 4)
    moments[[30, 31]] = moments[[31, 30]]

    kept, times = run(StreamClock(), moments, delay=lambda s: 0.02)

    assert len(kept) == 99
    assert (np.diff(times) > 0).all()


def test_a_stalled_network_that_catches_up_leaves_no_gap() -> None:
    def delay(s: float) -> float:
        return max(0.02, 25.0 - s) if 20.0 <= s < 25.0 else 0.02

    clock = StreamClock()
    moments, times = run(clock, at(25, 60), delay=delay)

    assert len(times) == 1500
    assert clock.lag_s < 0.1
    assert np.abs(times - moments).max() < 0.1
    assert clock.jumps == 0


def test_a_machine_that_has_too_much_to_do_for_some_seconds_loses_no_time() -> None:
    def delay(s: float) -> float:
        return 0.02 + (0.9 * (s - 20.0) if 20.0 <= s < 26.0 else max(0.0, 5.4 - 0.9 * (s - 26.0)) if s >= 26.0 else 0.0)

    clock = StreamClock()
    moments, times = run(clock, at(25, 60), delay=delay)

    assert len(times) == 1500
    assert np.abs(times - moments).max() < 0.2
    assert clock.jumps == 0


def test_a_stream_that_stays_late_is_set_anew_and_says_so() -> None:
    clock = StreamClock()

    moments, times = run(clock, at(25, 60), delay=lambda s: 8.0 if s >= 20 else 0.02)

    assert clock.jumps == 1
    assert np.abs(times[-10:] - moments[-10:] - 8.0).max() < 0.1


def test_a_drifting_camera_clock_is_followed_without_a_jump() -> None:
    for ppm in (300e-6, -300e-6):
        clock = StreamClock()

        moments, times = run(clock, at(2, 2 * HOUR_S), pts=lambda s, ppm=ppm: s * (1 + ppm))

        assert np.abs(times - moments).max() < 0.1
        assert clock.jumps == 0


@pytest.mark.parametrize("rate", [0.84, 0.5, 1.19])
def test_a_stream_clock_that_does_not_count_seconds_is_found_out(rate: float) -> None:
    clock = StreamClock()

    moments, times = run(clock, at(21, 60), pts=lambda s: s * rate)

    assert not clock.own
    assert np.abs(np.diff(times) - np.diff(moments))[21 * 20 :].max() < 0.01
    assert np.abs(times - moments).max() < 6.5


def test_a_new_timestamp_base_after_a_reconnect_goes_on_by_the_wall_clock() -> None:
    clock = StreamClock()
    run(clock, at(25, 20), pts=lambda s: 5000.0 + s)
    clock.connect()

    moments, times = run(clock, at(25, 20, begin=620.0), pts=lambda s: s - 620.0)

    assert np.abs(times - moments).max() < 0.1
    assert clock.jumps == 0


def test_a_machine_clock_set_forward_is_followed_and_one_set_back_never_takes_time_back() -> None:
    forward, back = StreamClock(), StreamClock()

    moments, times = run(forward, at(25, 60), wall=lambda s: WALL + s + (HOUR_S if s >= 20 else 0.0))
    assert np.abs(times[-10:] - moments[-10:] - HOUR_S).max() < 0.1
    assert forward.jumps == 1

    moments, times = run(back, at(25, 60), wall=lambda s: WALL + s - (HOUR_S if s >= 20 else 0.0))
    assert len(times) == 1500
    assert np.abs(np.diff(times) / 0.04 - 1).max() <= 0.011
    assert back.jumps == 1


def test_a_stream_without_timestamps_takes_the_time_of_arrival() -> None:
    clock = StreamClock()
    clock.connect(has_times=False)

    moments, times = run(clock, at(10, 10), pts=lambda s: s * 2.5)

    assert np.abs(times - moments).max() < 0.03


@given(
    st.lists(
        st.tuples(
            st.floats(0.0, 10.0), st.one_of(st.none(), st.floats(-1e5, 1e5)), st.floats(-5000, 5000), st.booleans()
        ),
        max_size=60,
    )
)
def test_times_only_grow_whatever_the_clocks_do(pictures: list[tuple[float, float | None, float, bool]]) -> None:
    clock = StreamClock()
    mono_s, times = 50.0, []
    for passed_s, pts_s, wall_error_s, reconnects in pictures:
        mono_s += passed_s
        if reconnects:
            clock.connect()
        t = clock.take(pts_s, mono_s=mono_s, wall_s=WALL + mono_s + wall_error_s)
        if t is not None:
            times.append(t)

    assert all(a < b for a, b in pairwise(times))
