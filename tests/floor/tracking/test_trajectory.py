from __future__ import annotations

import importlib.util
from pathlib import Path

import numpy as np
import pytest

from vitrina.floor.tracking.mot import MotBoxes, mot_boxes
from vitrina.floor.tracking.trajectory import smooth_tracks, track_boxes

SHARED = Path(__file__).parents[4] / "shared" / "data" / "floor" / "PETS09-S2L1"
FPS = 10.0


def walker(frames: int, *, hidden: range = range(0), jitter: float = 0.0, track_id: int = -1) -> MotBoxes:
    """From x = 100 to the right, 6 pixels a frame, 100 px high."""
    rng = np.random.default_rng(2)
    rows = []
    for number in range(1, frames + 1):
        dx, dy = rng.normal(0, jitter, 2)
        corners = (100 + 6 * number + dx, 200 + dy, 140 + 6 * number + dx, 300 + dy)
        if number not in hidden:
            rows.append((number, track_id, *corners, 0.9 if number < 30 else 0.7))
    return mot_boxes(rows)


def times(frames: int) -> np.ndarray:
    return np.arange(frames) / FPS


def test_a_file_has_every_frame_of_a_person_those_before_confirmation_too() -> None:
    whole = track_boxes(walker(40), times(40)).trajectories()
    assert whole.frames.tolist() == list(range(1, 41))
    assert set(whole.ids.tolist()) == {1}


def test_online_rows_begin_with_confirmation_and_are_never_mended() -> None:
    online = track_boxes(walker(40), times(40)).online()
    assert online.frames.tolist() == list(range(4, 41))


def test_a_short_gap_is_filled_where_the_person_walked() -> None:
    whole = track_boxes(walker(60, hidden=range(25, 37)), times(60)).trajectories()
    assert whole.frames.tolist() == list(range(1, 61))
    expected = walker(60).boxes_xyxy
    np.testing.assert_allclose(whole.boxes_xyxy, expected, atol=1.5)
    assert whole.scores[29] == pytest.approx(0.7)


def test_a_gap_longer_than_asked_for_stays_open() -> None:
    boxes = walker(60, hidden=range(20, 45), track_id=1)
    clock = dict(enumerate(times(60).tolist(), start=1))
    assert len(smooth_tracks(boxes, clock, filled_s=2.0)) == 35
    assert len(smooth_tracks(boxes, clock, filled_s=3.0)) == 60


def test_smoothing_takes_half_of_the_jitter_away() -> None:
    boxes, truth = walker(80, jitter=6.0, track_id=1), walker(80, track_id=1)
    clock = dict(enumerate(times(80).tolist(), start=1))
    smoothed = smooth_tracks(boxes, clock).boxes_xyxy
    assert np.std(smoothed - truth.boxes_xyxy) < 0.5 * np.std(boxes.boxes_xyxy - truth.boxes_xyxy)


def test_tracks_of_different_people_are_smoothed_apart() -> None:
    first, second = walker(20, track_id=1), walker(20, track_id=2)
    both = mot_boxes(
        [
            (int(frame), int(track_id), *(corners + 300 * (track_id - 1)).tolist(), 1.0)
            for boxes in (first, second)
            for frame, track_id, corners in zip(boxes.frames, boxes.ids, boxes.boxes_xyxy, strict=True)
        ]
    )
    clock = dict(enumerate(times(20).tolist(), start=1))
    smoothed = smooth_tracks(both, clock)
    np.testing.assert_allclose(
        smoothed.boxes_xyxy[smoothed.ids == 2], smoothed.boxes_xyxy[smoothed.ids == 1] + 300, atol=1e-3
    )


def test_a_file_without_boxes_has_no_tracks() -> None:
    log = track_boxes(mot_boxes([]), times(10))
    assert len(log.online()) == 0
    assert len(log.trajectories()) == 0


def test_boxes_after_the_last_frame_of_the_video_are_left_out() -> None:
    assert track_boxes(walker(40), times(20)).trajectories().last_frame == 20


@pytest.mark.slow
@pytest.mark.skipif(not SHARED.exists(), reason="the shared recording PETS09-S2L1 is not here")
@pytest.mark.skipif(importlib.util.find_spec("trackeval") is None, reason="trackeval is not installed")
@pytest.mark.filterwarnings("ignore")
def test_the_public_boxes_of_pets_are_tracked_as_well_as_the_reference_evaluator_says() -> None:
    from benchmarks.evaluation import FRAMES, TIMES, evaluate, pets_public_boxes, pets_truth

    log = track_boxes(pets_public_boxes(), TIMES)
    online = evaluate(pets_truth(), log.online(), FRAMES)
    assert (online.hota, online.idf1) > (46, 62)
    assert online.hota == pytest.approx(49.2, abs=0.5)
    assert online.idf1 == pytest.approx(69.8, abs=0.7)
    whole = evaluate(pets_truth(), log.trajectories(), FRAMES)
    assert whole.hota == pytest.approx(53.9, abs=0.5)
    truth = pets_truth()
    assert evaluate(truth, truth, FRAMES).hota == pytest.approx(100)
