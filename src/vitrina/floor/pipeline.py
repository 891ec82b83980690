"""From boxes to what happened: tracker → floor → lines, zones, queues. Pure: no camera, no file, no clock of its own.

Time runs in two steps. The tracker sees a frame at once; people are *placed* `confirm_s` later, when it is known
which tracks were people, so that a person counts from their first box and every counter sees time grow.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.counting.line import Crossing, LineCounter
from vitrina.floor.counting.queue import QueueCounter, Wait
from vitrina.floor.counting.visit import Visit, VisitCounter
from vitrina.floor.geometry.ground import Ground, anchors
from vitrina.floor.layout import PLAN, Layout, Line, Zone
from vitrina.floor.tracking.track import TrackedBox, Tracker

_T = TypeVar("_T", Line, Zone)

CONFIRM_S = 1.0
"""How long the tracker may take to confirm a track whose first boxes shall still count."""


@dataclass(frozen=True, slots=True)
class Placed:
    """The confirmed people who were seen at one moment.

    track_ids: (N,). boxes_xyxy: (N, 4) pixels. points_m: (N, 2) on the plan, NaN where the floor is not known.
    """

    t: float
    track_ids: NDArray[np.int64]
    boxes_xyxy: NDArray[np.float32]
    points_m: NDArray[np.float64]


@dataclass(slots=True)
class _Moment:
    """A frame that waits to be placed. people: track → box (4,)."""

    t: float
    people: dict[int, NDArray[np.float32]] = field(default_factory=dict)

    def placed(self, ground: Ground | None) -> Placed:
        ids = sorted(self.people)
        boxes = np.array([self.people[track_id] for track_id in ids], np.float32).reshape(-1, 4)
        points = ground.to_plan(anchors(boxes)) if ground and ids else np.full((len(ids), 2), np.nan)
        return Placed(self.t, np.array(ids, np.int64), boxes, points)


@dataclass(slots=True)
class Events:
    """What became certain with one step. Crossings, visits and waits are complete when they appear here."""

    placed: list[Placed] = field(default_factory=list)
    crossings: list[Crossing] = field(default_factory=list)
    visits: list[Visit] = field(default_factory=list)
    waits: list[Wait] = field(default_factory=list)


class Pipeline:
    """One camera under one layout. Take the camera's frames in turn with `step`, and `finish` at the end."""

    def __init__(self, layout: Layout, camera: str, *, tracker: Tracker | None = None) -> None:
        found = layout.camera(camera)
        self._ground = found.ground if found else None
        self._tracker = tracker or Tracker()
        size_wh = found.size_wh if found else None
        self.lines = {space: LineCounter(lines, size_wh) for space, lines in _by_space(layout.lines, camera).items()}
        zones = _by_space(layout.zones, camera)
        self.visits = {space: VisitCounter(inside) for space, inside in zones.items()}
        queues = {space: [zone for zone in inside if zone.kind == "queue"] for space, inside in zones.items()}
        self.queues = {space: QueueCounter(inside) for space, inside in queues.items() if inside}
        self._waiting: deque[_Moment] = deque()

    def step(self, boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32], t: float) -> Events:
        """boxes_xyxy: (N, 4) pixels. scores: (N,). t: seconds since the epoch; frames out of order are left out."""
        tracks = self._tracker.update(boxes_xyxy, scores, t)
        if not tracks.accepted:
            return Events()
        # A clock that was set back: everybody of before is placed before anybody of now.
        events = self._place_until(np.inf) if self._waiting and t <= self._waiting[-1].t else Events()
        moment = _Moment(t)
        for track_id, box in zip(
            tracks.track_ids[tracks.observed].tolist(), tracks.boxes_xyxy[tracks.observed], strict=True
        ):
            moment.people[track_id] = box
        self._waiting.append(moment)
        self._insert(tracks.backfill)
        return self._place_until(t - CONFIRM_S, events)

    def drain(self) -> Events:
        """Place what waits, because no frame will come for a while; what is open stays open."""
        return self._place_until(np.inf)

    def finish(self) -> Events:
        """Place what waits, end every visit and wait: the file or the shift is over."""
        events = self.drain()
        for counter in self.lines.values():
            events.crossings += counter.finish()
        for visits in self.visits.values():
            events.visits += visits.finish()
        for queues in self.queues.values():
            events.waits += queues.finish()
        return events

    def state(self) -> dict[str, Any]:
        """What the next worker needs to go on after a restart, as JSON."""
        counters: dict[str, Mapping[str, Any]] = {"lines": self.lines, "visits": self.visits, "queues": self.queues}
        return {
            name: {space: counter.state() for space, counter in by_space.items()} for name, by_space in counters.items()
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be where the pipeline was that gave `state()`, tracks included, so that `finish` can end what was open."""
        for name, by_space in (("lines", self.lines), ("visits", self.visits), ("queues", self.queues)):
            for space, counter in by_space.items():
                if space in state[name]:
                    counter.restore(state[name][space], same_tracks=True)

    def totals(self) -> dict[str, dict[str, int]]:
        """Line → {"in": n, "out": n}, net of U-turns, with the crossings that are not settled yet."""
        return {
            line: {"in": counts["in"], "out": counts["out"]}
            for counter in self.lines.values()
            for line, counts in counter.totals().items()
        }

    def inside(self) -> dict[str, int]:
        """Zone → people in it at the moment last placed."""
        return {zone: len(tracks) for counter in self.visits.values() for zone, tracks in counter.inside().items()}

    def _insert(self, backfill: Sequence[TrackedBox]) -> None:
        """Put the earlier boxes of a track that was just confirmed where they belong."""
        by_time = {moment.t: moment for moment in self._waiting}
        for earlier in backfill:
            moment = by_time.get(earlier.t)
            if moment is not None:
                moment.people[earlier.track_id] = earlier.box_xyxy

    def _place_until(self, t: float, events: Events | None = None) -> Events:
        events = events or Events()
        while self._waiting and self._waiting[0].t <= t:
            self._place(self._waiting.popleft(), events)
        return events

    def _place(self, moment: _Moment, events: Events) -> None:
        placed = moment.placed(self._ground)
        feet_px = anchors(placed.boxes_xyxy)
        heights_px = placed.boxes_xyxy[:, 3] - placed.boxes_xyxy[:, 1]
        for space, lines in self.lines.items():
            points = placed.points_m if space == PLAN else feet_px
            events.crossings += lines.update(placed.track_ids, points, moment.t, heights_px=heights_px)
        for space, visits in self.visits.items():
            points = placed.points_m if space == PLAN else feet_px
            events.visits += visits.update(placed.track_ids, points, moment.t)
        for space, queues in self.queues.items():
            points = placed.points_m if space == PLAN else feet_px
            events.waits += queues.update(placed.track_ids, points, moment.t)
        events.placed.append(placed)


def _by_space(things: Sequence[_T], camera: str) -> dict[str, list[_T]]:
    """What this camera can see, by the coordinates it was drawn in: the plan's, or the camera's own picture."""
    spaces: dict[str, list[_T]] = defaultdict(list)
    for thing in things:
        if thing.space in (PLAN, camera):
            spaces[thing.space].append(thing)
    return dict(spaces)
