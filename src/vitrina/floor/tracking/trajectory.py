"""Whole paths for files: what a tracker said frame by frame, put in order, smoothed, with short gaps filled.

A live picture can only look back; a file can also look ahead. The same walk that tracked a person is run backwards over
the measured boxes (Rauch, Tung & Striebel 1965), which halves their jitter and says where they were while hidden.
"""

from __future__ import annotations

from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.tracking import kalman
from vitrina.floor.tracking.kalman import Floats, State, Walk
from vitrina.floor.tracking.mot import MotBoxes, mot_boxes
from vitrina.floor.tracking.options import TrackerOptions
from vitrina.floor.tracking.track import Tracker, Tracks

FILLED_S = 2.0


class TrackLog:
    """Collects the tracks of one video: `add` each frame, then ask for `online` rows or for whole `trajectories`."""

    def __init__(self) -> None:
        self._frame_at: dict[float, int] = {}
        self._times: list[float] = []
        self._seen: list[tuple[int, int, float, float, float, float, float]] = []
        self._shown: list[tuple[int, int, float, float, float, float, float]] = []

    def add(self, frame: int, tracks: Tracks) -> None:
        """frame: from 1, ascending; those left out had no picture. A frame that was not accepted has no rows."""
        if not tracks.accepted:
            return
        self._frame_at[tracks.t] = frame
        for box in tracks.backfill:
            row = (self._frame_at[box.t], box.track_id, *_corners(box.measured_xyxy), box.score)
            self._seen.append(row)
        columns = (tracks.track_ids, tracks.boxes_xyxy, tracks.measured_xyxy, tracks.scores, tracks.observed)
        for track_id, box, measured, score, observed in zip(*columns, strict=True):
            self._shown.append((frame, int(track_id), *_corners(box), float(score)))
            if observed:
                self._seen.append((frame, int(track_id), *_corners(measured), float(score)))

    def online(self) -> MotBoxes:
        """What was known at each frame's time: confirmed tracks only, filtered boxes, nothing mended afterwards."""
        return mot_boxes(self._shown)

    def trajectories(self, *, walk: Walk | None = None, filled_s: float = FILLED_S) -> MotBoxes:
        """Every box of every track, those before its confirmation too, smoothed; gaps up to `filled_s` are filled."""
        times = {frame: t for t, frame in self._frame_at.items()}
        return smooth_tracks(mot_boxes(self._seen), times, walk=walk, filled_s=filled_s)


def track_boxes(
    detections: MotBoxes,
    times: NDArray[np.floating],
    *,
    options: TrackerOptions | None = None,
) -> TrackLog:
    """Somebody else's boxes through the tracker. times: (F,) seconds of frames 1 … F; later boxes are left."""
    tracker = Tracker(options=options)
    log = TrackLog()
    for frame, (found, t) in enumerate(zip(detections.by_frame(len(times)), times.tolist(), strict=True), start=1):
        log.add(frame, tracker.update(found.boxes_xyxy, found.scores, t))
    return log


def smooth_tracks(
    boxes: MotBoxes,
    times: dict[int, float],
    *,
    walk: Walk | None = None,
    filled_s: float = FILLED_S,
) -> MotBoxes:
    """The measured boxes of each id, smoothed over its whole life; the frames of `times` within its short gaps filled.

    A filled row has the lower score of its two neighbours.
    """
    walk = walk or Walk()
    frames = np.array(sorted(times, key=times.__getitem__), np.int64)
    clock = np.array([times[frame] for frame in frames.tolist()], np.float64)
    place_of = {frame: place for place, frame in enumerate(frames.tolist())}
    rows = []
    for track_id in np.unique(boxes.ids).tolist():
        own = boxes.take(boxes.ids == track_id)
        seen = np.array([place_of[frame] for frame in own.frames.tolist()], np.intp)
        order = np.argsort(seen)
        seen, measured = seen[order], own.boxes_xyxy[order].astype(np.float64)
        places = _with_gaps_filled(seen, clock, filled_s)
        smoothed = _smooth(kalman.measure(measured), seen, places, clock, walk)
        scores = _scores(own.scores[order], seen, places)
        for place, box, score in zip(places.tolist(), smoothed, scores.tolist(), strict=True):
            rows.append((int(frames[place]), track_id, *_corners(box), score))
    return mot_boxes(rows)


def _with_gaps_filled(seen: NDArray[np.intp], clock: Floats, filled_s: float) -> NDArray[np.intp]:
    """Places in the clock: those seen, and those between two of them that are at most `filled_s` apart."""
    wanted = [seen[:1]]
    for before, after in pairwise(seen.tolist()):
        first = before + 1 if clock[after] - clock[before] <= filled_s else after
        wanted.append(np.arange(first, after + 1))
    return np.concatenate(wanted)


def _smooth(measured: Floats, seen: NDArray[np.intp], places: NDArray[np.intp], clock: Floats, walk: Walk) -> Floats:
    """Forwards and back over one track; (len(places), 4) boxes."""
    measured_at = dict(zip(seen.tolist(), measured[:, None, :], strict=True))
    steps = [kalman.transition(walk, dt) for dt in np.diff(clock[places]).tolist()]
    filtered = [kalman.born(measured[:1], walk)]
    predicted: list[State] = []
    for step, place in zip(steps, places[1:].tolist(), strict=True):
        ahead = kalman.predict(filtered[-1], step)
        predicted.append(ahead)
        found = measured_at.get(place)
        if found is not None:
            ahead = kalman.correct(ahead, found, kalman.noise_variance(ahead.position, walk))
        filtered.append(ahead)
    smoothed = [filtered[-1]]
    for before, ahead, step in zip(reversed(filtered[:-1]), reversed(predicted), reversed(steps), strict=True):
        smoothed.append(kalman.smoothed_back(before, ahead, step, smoothed[-1]))
    return kalman.boxes(np.concatenate([state.position for state in reversed(smoothed)]))


def _scores(scores: NDArray[np.float32], seen: NDArray[np.intp], places: NDArray[np.intp]) -> NDArray[np.float32]:
    after = np.searchsorted(seen, places)
    before = np.searchsorted(seen, places, side="right") - 1
    return np.minimum(scores[before], scores[after])


def _corners(box_xyxy: NDArray[np.floating]) -> tuple[float, float, float, float]:
    x1, y1, x2, y2 = box_xyxy.tolist()
    return x1, y1, x2, y2
