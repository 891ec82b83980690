"""Where people were at one moment, by the boxes around it."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.floor.tracking.smoothing import WIDTH_S, Measured, smooth_at

TIMES = np.arange(-10, 11) / 10


def walker(times: np.ndarray, *, track_id: int = 1, speed_px: float = 50.0) -> Measured:
    left = 100 + speed_px * times
    boxes = np.stack([left, np.full(len(times), 40.0), left + 30, np.full(len(times), 130.0)], axis=1)
    return Measured(times, np.full(len(times), track_id), boxes)


def joined(*parts: Measured) -> Measured:
    return Measured(
        np.concatenate([part.t for part in parts]),
        np.concatenate([part.track_ids for part in parts]),
        np.concatenate([part.boxes_xyxy for part in parts]),
    )


@given(at=st.floats(-0.9, 0.9), seen=st.lists(st.booleans(), min_size=21, max_size=21), speed=st.floats(-300, 300))
def test_who_walks_straight_is_exactly_where_they_are_with_boxes_missing_too(
    at: float, seen: list[bool], speed: float
) -> None:
    known = TIMES[np.array(seen) | (np.arange(21) % 20 == 0)]

    ids, boxes = smooth_at(at, walker(known, speed_px=speed))

    assert ids.tolist() == [1]
    assert boxes[0] == pytest.approx([100 + speed * at, 40, 130 + speed * at, 130], abs=0.01)


def test_jitter_becomes_less_than_half() -> None:
    rng = np.random.default_rng(3)
    off = []
    for _ in range(200):
        clean = walker(TIMES)
        noisy = Measured(clean.t, clean.track_ids, clean.boxes_xyxy + rng.normal(0, 4, clean.boxes_xyxy.shape))
        off.append(smooth_at(0.0, noisy)[1][0] - [100, 40, 130, 130])

    assert np.std(off) < 0.5 * 4


def test_it_agrees_with_weighted_least_squares() -> None:
    rng = np.random.default_rng(5)
    times = np.sort(rng.uniform(-1, 1, 12))
    lefts = rng.uniform(100, 110, 12)
    boxes = np.stack([lefts, np.full(12, 40.0), lefts + 30, np.full(12, 130.0)], axis=1)
    # polyfit squares its weights
    line = np.polynomial.polynomial.polyfit(times, lefts, 1, w=np.exp(-0.25 * (times / WIDTH_S) ** 2))

    _, found = smooth_at(0.0, Measured(times, np.ones(12, np.int64), boxes))

    assert found[0, 0] == pytest.approx(line[0], abs=1e-3)


def test_nobody_is_placed_before_their_first_box_or_after_their_last() -> None:
    both = joined(walker(TIMES[:8], track_id=1), walker(TIMES[13:], track_id=2), walker(TIMES, track_id=3))

    assert smooth_at(0.0, both)[0].tolist() == [3]


def test_a_single_box_is_its_own_place_and_nothing_is_nowhere() -> None:
    alone = walker(np.array([0.0]))

    assert smooth_at(0.0, alone)[1][0] == pytest.approx([100, 40, 130, 130], abs=1e-3)
    assert len(smooth_at(0.0, walker(np.empty(0)))[0]) == 0
