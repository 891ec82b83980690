"""From boxes to what happened: tracker → floor → lines, zones, queues. Pure: no camera, no file, no clock of its own.

Time runs in two steps. The tracker sees a frame at once; people are *placed* `confirm_s` later, when it is known
which tracks were people and where they went next: a person counts from their first box, stands where the boxes before
and after say, and every counter sees time grow.
"""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.counting.line import Crossing, LineCounter
from vitrina.floor.counting.queue import QueueCounter, Wait
from vitrina.floor.counting.visit import Visit, VisitCounter
from vitrina.floor.geometry.ground import anchors
from vitrina.floor.layout import PLAN, Layout, Line, Zone
from vitrina.floor.packed import pack, unpack
from vitrina.floor.tracking.smoothing import Measured, smooth_at
from vitrina.floor.tracking.track import TrackedBox, Tracker

_T = TypeVar("_T", Line, Zone)
Counter = LineCounter | VisitCounter | QueueCounter

CONFIRM_S = 1.0
"""How long the tracker may take to confirm a track whose first boxes shall still count."""


# One person of a frame, as it is kept in the state.
PERSON = np.dtype([("moment", np.int32), ("track_id", np.int32), ("box_xyxy", np.float32, (4,))])


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
    """A frame's people as they were measured. people: track → box (4,)."""

    t: float
    people: dict[int, NDArray[np.float32]] = field(default_factory=dict)


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
        self._recent: deque[_Moment] = deque()

    def step(self, boxes_xyxy: NDArray[np.float32], scores: NDArray[np.float32], t: float) -> Events:
        """boxes_xyxy: (N, 4) pixels. scores: (N,). t: seconds since the epoch; frames out of order are left out."""
        tracks = self._tracker.update(boxes_xyxy, scores, t)
        if not tracks.accepted:
            return Events()
        # A clock that was set back: everybody of before is placed before anybody of now.
        events = self._place_until(np.inf) if self._waiting and t <= self._waiting[-1].t else Events()
        moment = _Moment(t)
        seen = tracks.observed
        for track_id, box in zip(tracks.track_ids[seen].tolist(), tracks.measured_xyxy[seen], strict=True):
            moment.people[track_id] = box
        self._waiting.append(moment)
        self._insert(tracks.backfill)
        return self._place_until(t - CONFIRM_S, events)

    def now(self) -> Placed | None:
        """Who is known to be a person in the last frame, before they are placed: to be shown, not to be counted."""
        if not self._waiting:
            return None
        last = _measured([self._waiting[-1]])
        return self._on_floor(self._waiting[-1].t, last.track_ids, last.boxes_xyxy.astype(np.float32))

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
        """What the next worker needs to go on after a restart, as JSON: who is tracked, who waits, what is open."""
        moments = [*self._recent, *self._waiting]
        people = [(n, *one) for n, moment in enumerate(moments) for one in moment.people.items()]
        return {
            "tracker": self._tracker.state(),
            "moments": pack(np.array([moment.t for moment in moments], np.float64)),
            "placed": len(self._recent),
            "people": pack(np.array(people, PERSON)),
            **{
                name: {space: counter.state() for space, counter in by_space.items()}
                for name, by_space in self._counters().items()
            },
        }

    def restore(self, state: dict[str, Any]) -> None:
        """Be where the pipeline was that gave `state()`, under the same layout: go on, or `finish` what was open.

        Raises InputError, LookupError, TypeError or ValueError for what no pipeline of this layout gave; it is to be
        thrown away then.
        """
        self._tracker.restore(state["tracker"])
        moments = [_Moment(t) for t in unpack(state["moments"], np.float64, -1).tolist()]
        for n, track_id, box in unpack(state["people"], PERSON, -1):
            moments[n].people[int(track_id)] = box.copy()
        placed = int(state["placed"])
        self._recent, self._waiting = deque(moments[:placed]), deque(moments[placed:])
        for name, by_space in self._counters().items():
            for space, counter in by_space.items():
                counter.restore(state[name][space], same_tracks=True)

    @property
    def last_t(self) -> float | None:
        """When the last frame was that was taken."""
        return self._tracker.last_t

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

    def _counters(self) -> dict[str, Mapping[str, Counter]]:
        return {"lines": self.lines, "visits": self.visits, "queues": self.queues}

    def _insert(self, backfill: Sequence[TrackedBox]) -> None:
        """Put the earlier boxes of a track that was just confirmed where they belong."""
        by_time = {moment.t: moment for moment in self._waiting}
        for earlier in backfill:
            moment = by_time.get(earlier.t)
            if moment is not None:
                moment.people[earlier.track_id] = earlier.measured_xyxy

    def _place_until(self, t: float, events: Events | None = None) -> Events:
        events = events or Events()
        while self._waiting and self._waiting[0].t <= t:
            self._place(self._waiting[0].t, events)
            self._recent.append(self._waiting.popleft())
        return events

    def _smoothed(self, t: float) -> Placed:
        """Everybody at `t`, from what was measured up to `CONFIRM_S` before and after."""
        while self._recent and not t - CONFIRM_S <= self._recent[0].t <= t:
            self._recent.popleft()
        near = [*self._recent, *takewhile(lambda moment: moment.t <= t + CONFIRM_S, self._waiting)]
        return self._on_floor(t, *smooth_at(t, _measured(near)))

    def _on_floor(self, t: float, ids: NDArray[np.int64], boxes_xyxy: NDArray[np.float32]) -> Placed:
        feet_px = anchors(boxes_xyxy)
        points = self._ground.to_plan(feet_px) if self._ground and len(ids) else np.full((len(ids), 2), np.nan)
        return Placed(t, ids, boxes_xyxy, points)

    def _place(self, t: float, events: Events) -> None:
        placed = self._smoothed(t)
        feet_px = anchors(placed.boxes_xyxy)
        heights_px = placed.boxes_xyxy[:, 3] - placed.boxes_xyxy[:, 1]
        for space, lines in self.lines.items():
            points = placed.points_m if space == PLAN else feet_px
            events.crossings += lines.update(placed.track_ids, points, t, heights_px=heights_px)
        for space, visits in self.visits.items():
            points = placed.points_m if space == PLAN else feet_px
            events.visits += visits.update(placed.track_ids, points, t)
        for space, queues in self.queues.items():
            points = placed.points_m if space == PLAN else feet_px
            events.waits += queues.update(placed.track_ids, points, t)
        events.placed.append(placed)


def _measured(moments: Sequence[_Moment]) -> Measured:
    people = [moment.people for moment in moments]
    return Measured(
        t=np.repeat([moment.t for moment in moments], [len(there) for there in people]),
        track_ids=np.array([track_id for there in people for track_id in there], np.int64),
        boxes_xyxy=np.array([box for there in people for box in there.values()], np.float64).reshape(-1, 4),
    )


def _by_space(things: Sequence[_T], camera: str) -> dict[str, list[_T]]:
    """What this camera can see, by the coordinates it was drawn in: the plan's, or the camera's own picture."""
    spaces: dict[str, list[_T]] = defaultdict(list)
    for thing in things:
        if thing.space in (PLAN, camera):
            spaces[thing.space].append(thing)
    return dict(spaces)
