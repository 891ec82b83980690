"""The same person through time in one camera: boxes of one frame after another in, tracks with ids out.

What each idea is for, and whose it is:

- A track predicts its box with the walk of `kalman.py`; a box is as dear to it as it is unlikely there: the squared
  Mahalanobis distance under a Student-t (people do turn on their heel), plus the log of the volume the track has to
  search, plus what doubt there is about the box (`score.py`) and about somebody out of sight being there still. All
  pairs are settled at once (Kuhn–Munkres). In these units the search grows with the time out of sight, and a track that
  is sure of its box goes before one that merely could reach it.
- Weak boxes may carry on a track, never start one or bring one back (Zhang et al. 2022, "ByteTrack").
- Two tracks that want one box are both in doubt: the box moves the one that gets it less, so that neither is dragged
  over to the other's path (Fitzgerald 1986, "cheap" joint probabilistic data association).
- A track is confirmed by evidence gathered over time: the log odds of its boxes, minus its misses (Wald's sequential
  test; Blackman & Popoli 1999, §6.2). Only confirmed tracks get an id, and no id is given twice.

Everything is measured in seconds and body heights: 7 and 25 frames a second, near and far, need no other setting.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from vitrina.floor.packed import pack, unpack
from vitrina.floor.rhythm import Rhythm
from vitrina.floor.tracking import kalman
from vitrina.floor.tracking.box import checked_boxes, overlaps
from vitrina.floor.tracking.kalman import Floats
from vitrina.floor.tracking.options import TrackerOptions
from vitrina.floor.tracking.score import ScoreBook

Index = NDArray[np.intp]
NOT_CONFIRMED = 0
NOBODY: Index = np.zeros(0, np.intp)
COORDINATES = 4
EVIDENCE_LIMIT = 2.0
SMALLEST_SHARE = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class TrackedBox:
    """One box of a track that was not yet confirmed when it was seen."""

    t: float
    track_id: int
    box_xyxy: NDArray[np.float32]
    measured_xyxy: NDArray[np.float32]
    score: float


@dataclass(frozen=True, slots=True, eq=False)
class Tracks:
    """The confirmed tracks at `t`, by id.

    track_ids: (M,) int64.  boxes_xyxy: (M, 4) float32, pixels, filtered.  scores: (M,) float32, of the last box.
    observed: (M,) bool; False: out of sight for at most `shown_s`, `boxes_xyxy` is where the person should be.
    measured_xyxy: (M, 4) float32, the box as it was given; the last one where not observed.
    backfill: earlier boxes of tracks that were confirmed in this very update, oldest first.
    ended: (K,) int64, ids that will never come back.
    accepted: False for a frame that came late and was ignored: nothing is known about its time.
    """

    t: float
    track_ids: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float32]
    scores: NDArray[np.float32]
    observed: NDArray[np.bool_]
    measured_xyxy: NDArray[np.float32]
    backfill: tuple[TrackedBox, ...]
    ended: NDArray[np.int64]
    accepted: bool = True


@dataclass(slots=True)
class _Boxes:
    """One frame's boxes, in an order of their own, so that the order in which they came does not matter."""

    xyxy: Floats
    scores: Floats
    measured: Floats
    bins: Index
    chances: Floats
    log_odds: Floats
    free: NDArray[np.bool_]


# What is known of a track beside its state; one row each.
TRACK = np.dtype(
    [
        ("track_id", np.int64),
        ("key", np.int64),
        ("hits", np.int64),
        ("evidence", np.float64),
        ("born_t", np.float64),
        ("seen_t", np.float64),
        ("solid_t", np.float64),
        ("score", np.float64),
        ("measured_xyxy", np.float64, (4,)),
    ]
)
_Past = list[tuple[float, Floats, Floats, float, int]]

# One box of a track that is not confirmed yet, as it is kept in the state.
PAST = np.dtype(
    [
        ("key", np.int64),
        ("t", np.float64),
        ("box_xyxy", np.float64, (4,)),
        ("measured_xyxy", np.float64, (4,)),
        ("score", np.float64),
        ("bin", np.int64),
    ]
)


class Tracker:
    """One camera's tracks: `update` with each frame. What it holds depends on who is in view, not on how long."""

    def __init__(self, *, options: TrackerOptions | None = None) -> None:
        self._options = options or TrackerOptions()
        self._scores = ScoreBook()
        self._t = -np.inf
        self._rhythm = Rhythm(pause_s=self._options.pause_s)
        self._gate = self._options.gate
        self._next_id = NOT_CONFIRMED + 1
        self._next_key = 0
        self._clear()

    def _clear(self) -> None:
        self._state = kalman.no_tracks()
        self._rows = np.zeros(0, TRACK)
        self._past: dict[int, _Past] = {}

    def update(self, boxes_xyxy: NDArray[np.floating], scores: NDArray[np.floating], t: float) -> Tracks:
        """boxes_xyxy: (N, 4), pixels.  scores: (N,), of any range.  t: seconds, from the stream.

        A frame that is not newer than the last one is ignored (`accepted` is False). If it is more than `late_s` older,
        the clock was set anew: all tracks end and tracking starts again at its time. InputError for what is no box.
        """
        xyxy, values = checked_boxes(boxes_xyxy, scores, t)
        if self._t - self._options.late_s <= t <= self._t:
            return self._report(t, self._shown(t)[:0], (), _no_ids(), accepted=False)
        ended = [self._end_all()] if t < self._t else []
        dt = t - self._t if np.isfinite(self._t) and not ended else 0.0
        ended += self._pause(dt)
        self._t = t
        self._state = kalman.predict(self._state, kalman.transition(self._options.walk, dt))
        self._scores.fade(dt)
        boxes = self._boxes(xyxy, values)
        weight = min(1.0, dt / self._options.repeat_s) if dt > 0 else 1.0
        self._associate(boxes, weight)
        self._start_tracks(boxes)
        ended.append(self._end_tracks())
        backfill = self._confirm()
        return self._report(t, self._shown(t), backfill, np.concatenate(ended))

    @property
    def last_t(self) -> float | None:
        return self._t if np.isfinite(self._t) else None

    def state(self) -> dict[str, Any]:
        """All that is needed to go on after a restart, as JSON; 10 kB with 50 people."""
        past = np.array([(key, *then) for key, boxes in self._past.items() for then in boxes], PAST)
        return {
            "t": self.last_t,
            "next_id": self._next_id,
            "next_key": self._next_key,
            "walk": [pack(array) for array in self._state],
            "rows": pack(self._rows),
            "past": pack(past),
            "scores": self._scores.state(),
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be where the tracker was that gave `state()`: the time until the next frame is a pause like any other.

        Raises InputError, LookupError, TypeError or ValueError for what no tracker gave, and has changed nothing then.
        """
        rows = unpack(state["rows"], TRACK, -1)
        walk = kalman.State(*(unpack(packed, np.float64, len(rows), COORDINATES) for packed in state["walk"]))
        numbers = (int(state["next_id"]), int(state["next_key"]))
        past: dict[int, _Past] = {}
        for key, *then in unpack(state["past"], PAST, -1).tolist():
            t, box, measured, score, score_bin = then
            past.setdefault(key, []).append((t, np.array(box), np.array(measured), score, score_bin))
        self._scores.restore(state["scores"])
        self._t = -np.inf if state["t"] is None else float(state["t"])
        self._next_id, self._next_key = numbers
        self._rhythm = Rhythm(pause_s=self._options.pause_s)
        self._rows, self._state, self._past = rows, walk, past

    def _pause(self, dt: float) -> list[NDArray[np.int64]]:
        """See what `dt` without a frame means; the ids that end with it."""
        options = self._options
        paused = self._rhythm.is_pause(dt)
        self._gate = options.gate + options.pause_gate * paused
        if not paused:
            return []
        if dt > options.bridge_s:
            return [self._end_all()]
        for since in ("born_t", "seen_t", "solid_t"):
            self._rows[since] += dt - options.repeat_s
        return []

    # ------------------------------------------------------------------ association

    def _boxes(self, xyxy: Floats, scores: Floats) -> _Boxes:
        order = np.lexsort((scores, *xyxy.T))
        xyxy, scores = xyxy[order], scores[order]
        bins = self._scores.bins(scores)
        chances = self._scores.chances(bins)
        return _Boxes(
            xyxy=xyxy,
            scores=scores,
            measured=kalman.measure(xyxy),
            bins=bins,
            chances=chances,
            log_odds=np.log(chances / (1 - chances)),
            free=np.ones(len(xyxy), np.bool_),
        )

    def _associate(self, boxes: _Boxes, weight: float) -> None:
        """Confirmed tracks choose first; tentative ones have what they leave."""
        variance = kalman.noise_variance(self._state.position, self._options.walk)
        costs = self._costs(boxes, variance)
        confirmed = self._rows["track_id"] != NOT_CONFIRMED
        lively = confirmed & (self._t - self._rows["solid_t"] <= self._options.solid_s)
        costs[np.ix_(confirmed & ~lively, boxes.chances < self._options.solid)] = np.inf

        tracks, chosen = self._settle(np.flatnonzero(confirmed), boxes, costs)
        mistrust = self._mistrust(costs, confirmed, tracks, chosen)
        self._carry_on(tracks, chosen, boxes, variance[tracks] * mistrust[:, None], weight)
        self._scores.learn(boxes.bins[chosen[lively[tracks]]], NOBODY)
        if confirmed.all():
            return
        self._rows["evidence"][~confirmed] -= weight
        tracks, chosen = self._settle(np.flatnonzero(~confirmed), boxes, costs)
        self._carry_on(tracks, chosen, boxes, variance[tracks], weight)
        self._rows["evidence"][tracks] += weight

    def _costs(self, boxes: _Boxes, variance: Floats) -> Floats:
        """(tracks, boxes): −2 log of how likely each pair is, up to a constant."""
        options = self._options
        squared, volume = kalman.distances(self._state, boxes.measured, variance)
        surprise = (options.tail + COORDINATES) * np.log1p(squared / options.tail)
        of_track = volume + options.hazard_per_s * (self._t - self._rows["seen_t"])
        of_box = 2 * np.maximum(-boxes.log_odds, 0.0)
        costs: Floats = surprise + of_track[:, None] + of_box
        return costs

    def _settle(self, tracks: Index, boxes: _Boxes, costs: Floats) -> tuple[Index, Index]:
        """Who gets which free box, so that the sum is least; staying without one costs the gate."""
        free = np.flatnonzero(boxes.free)
        if not len(tracks) or not len(free):
            return NOBODY, NOBODY
        among = np.minimum(costs[np.ix_(tracks, free)], self._gate)
        rows, columns = linear_sum_assignment(among)
        within = among[rows, columns] < self._gate
        return tracks[rows[within]], free[columns[within]]

    def _mistrust(self, costs: Floats, confirmed: NDArray[np.bool_], tracks: Index, chosen: Index) -> Floats:
        """(K,) ≥ 1: by how much the noise of each chosen box is raised, because others want it too."""
        likelihoods = np.exp(-costs[:, chosen] / 2) * confirmed[:, None]
        own = likelihoods[tracks, np.arange(len(chosen))]
        share = np.clip(own / np.maximum(likelihoods.sum(axis=0), own), SMALLEST_SHARE, 1.0)
        mistrust: Floats = 1 + self._options.ambiguity * (1 / share - 1)
        return mistrust

    def _carry_on(self, tracks: Index, chosen: Index, boxes: _Boxes, variance: Floats, weight: float) -> None:
        if not len(tracks):
            return
        corrected = kalman.correct(self._state.take(tracks), boxes.measured[chosen], variance)
        for whole, part in zip(self._state, corrected, strict=True):
            whole[tracks] = part
        boxes.free[chosen] = False
        rows = self._rows
        rows["hits"][tracks] += 1
        rows["evidence"][tracks] += weight * _evidence(boxes.log_odds[chosen])
        rows["seen_t"][tracks] = self._t
        rows["solid_t"][tracks[boxes.chances[chosen] >= self._options.solid]] = self._t
        rows["score"][tracks] = boxes.scores[chosen]
        rows["measured_xyxy"][tracks] = boxes.xyxy[chosen]

    # ------------------------------------------------------------------ births, confirmations, ends

    def _start_tracks(self, boxes: _Boxes) -> None:
        if not boxes.free.any():
            return
        new = np.flatnonzero(boxes.free & (boxes.chances >= self._options.solid))
        new = new[~self._same_as_tracked(boxes.xyxy[new], boxes.xyxy[~boxes.free])]
        new = new[~self._same_as_better(boxes.xyxy[new], boxes.scores[new])]
        rejected = boxes.free.copy()
        rejected[new] = False
        self._scores.learn(NOBODY, boxes.bins[rejected])
        if not len(new):
            return

        rows = np.zeros(len(new), TRACK)
        rows["key"] = self._next_key + np.arange(len(new))
        self._next_key += len(new)
        rows["hits"] = 1
        rows["evidence"] = _evidence(boxes.log_odds[new])
        rows["born_t"] = rows["seen_t"] = rows["solid_t"] = self._t
        rows["score"] = boxes.scores[new]
        rows["measured_xyxy"] = boxes.xyxy[new]
        self._rows = np.concatenate([self._rows, rows])
        self._state = kalman.join(self._state, kalman.born(boxes.measured[new], self._options.walk))

    def _same_as_tracked(self, new_xyxy: Floats, tracked_xyxy: Floats) -> NDArray[np.bool_]:
        return np.asarray(self._same(new_xyxy, tracked_xyxy).any(axis=1), np.bool_)

    def _same_as_better(self, new_xyxy: Floats, scores: Floats) -> NDArray[np.bool_]:
        """Of two new boxes on one person the surer one stays, of two equally sure ones the larger."""
        areas = (new_xyxy[:, 2:] - new_xyxy[:, :2]).prod(axis=1)
        rank = np.argsort(np.lexsort((areas, scores)))
        better = rank[None, :] > rank[:, None]
        return np.asarray((self._same(new_xyxy, new_xyxy) & better).any(axis=1), np.bool_)

    def _same(self, boxes_xyxy: Floats, others_xyxy: Floats) -> NDArray[np.bool_]:
        iou, inside = overlaps(boxes_xyxy, others_xyxy)
        same: NDArray[np.bool_] = (iou >= self._options.same_iou) | (inside >= self._options.same_inside)
        return same

    def _end_tracks(self) -> NDArray[np.int64]:
        rows, options = self._rows, self._options
        out_of_sight = self._t - rows["seen_t"]
        tentative = rows["track_id"] == NOT_CONFIRMED
        hopeless = (
            (out_of_sight > options.tentative_lost_s)
            | (rows["evidence"] < -1)
            | (self._t - rows["born_t"] > options.tentative_s)
        )
        over = np.where(tentative, hopeless, out_of_sight > options.lost_s)
        for key in rows["key"][over & tentative].tolist():
            self._scores.learn(NOBODY, _bins_of(self._past.pop(key, [])))
        ended: NDArray[np.int64] = rows["track_id"][over & ~tentative]
        if over.any():
            self._rows, self._state = rows[~over], self._state.take(~over)
        return ended

    def _end_all(self) -> NDArray[np.int64]:
        rows = self._rows
        self._clear()
        ended: NDArray[np.int64] = rows["track_id"][rows["track_id"] != NOT_CONFIRMED]
        return ended

    def _confirm(self) -> tuple[TrackedBox, ...]:
        rows, options = self._rows, self._options
        tentative = np.flatnonzero(rows["track_id"] == NOT_CONFIRMED)
        if not len(tentative):
            return ()
        enough = (
            (rows["hits"] >= options.confirm_hits)
            & (self._t - rows["born_t"] >= options.confirm_s)
            & (rows["evidence"] >= options.confirm_evidence)
        )
        backfill: list[TrackedBox] = []
        for i in tentative[enough[tentative]].tolist():
            rows["track_id"][i] = self._next_id
            past = self._past.pop(int(rows["key"][i]), [])
            self._scores.learn(_bins_of(past), NOBODY)
            backfill += [_tracked_box(self._next_id, *then) for then in past]
            self._next_id += 1
        self._remember(tentative[~enough[tentative]])
        return tuple(sorted(backfill, key=lambda box: box.t))

    def _remember(self, tentative: Index) -> None:
        seen = tentative[self._rows["seen_t"][tentative] == self._t]
        filtered = kalman.boxes(self._state.position[seen])
        bins = self._scores.bins(self._rows["score"][seen])
        for i, box, score_bin in zip(seen.tolist(), filtered, bins.tolist(), strict=True):
            row = self._rows[i]
            past = self._past.setdefault(int(row["key"]), [])
            past.append((self._t, box, row["measured_xyxy"].copy(), float(row["score"]), score_bin))

    # ------------------------------------------------------------------ what is told

    def _shown(self, t: float) -> Index:
        rows = self._rows
        shown = (rows["track_id"] != NOT_CONFIRMED) & (t - rows["seen_t"] <= self._options.shown_s)
        index: Index = np.flatnonzero(shown)
        in_order: Index = index[np.argsort(rows["track_id"][index])]
        return in_order

    def _report(
        self,
        t: float,
        shown: Index,
        backfill: tuple[TrackedBox, ...],
        ended: NDArray[np.int64],
        *,
        accepted: bool = True,
    ) -> Tracks:
        rows = self._rows[shown]
        return Tracks(
            t=t,
            track_ids=rows["track_id"].copy(),
            boxes_xyxy=kalman.boxes(self._state.position[shown]).astype(np.float32),
            scores=rows["score"].astype(np.float32),
            observed=rows["seen_t"] == t,
            measured_xyxy=rows["measured_xyxy"].astype(np.float32),
            backfill=backfill,
            ended=np.sort(ended),
            accepted=accepted,
        )


def _evidence(log_odds: Floats) -> Floats:
    """For a person being there: the box's log odds, and a little because it lies where one was expected."""
    return np.clip(log_odds + 0.5, -EVIDENCE_LIMIT, EVIDENCE_LIMIT)


def _tracked_box(track_id: int, t: float, box: Floats, measured: Floats, score: float, _bin: int) -> TrackedBox:
    return TrackedBox(t, track_id, box.astype(np.float32), measured.astype(np.float32), score)


def _bins_of(past: _Past) -> Index:
    return np.array([then[4] for then in past], np.intp)


def _no_ids() -> NDArray[np.int64]:
    return np.zeros(0, np.int64)
