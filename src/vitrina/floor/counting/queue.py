"""Who waited at a till, how long, and who gave up.

Somebody joins by a visit to the queue's zone. They were served when they stood at the till for `serve_s`, or left from
it; the wait ends when they came to the till. Who leaves from elsewhere has given up. Who vanishes in mid-queue did
neither that we know of, and is counted as neither.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike

from vitrina.errors import InputError
from vitrina.floor.counting.clock import Step, step
from vitrina.floor.counting.visit import Visit, VisitCounter
from vitrina.floor.layout import Zone

Outcome = Literal["served", "abandoned", "unknown"]


@dataclass(frozen=True, slots=True)
class Wait:
    """joined, ended: seconds since the epoch; ended is when they came to the till, left or vanished."""

    zone: str
    track_id: int
    joined: float
    ended: float
    wait_s: float
    outcome: Outcome


@dataclass(slots=True)
class _AtTill:
    """A stay at the till: since when, and whether it has lasted `serve_s` and so become service."""

    since: float
    served: bool = False


class QueueCounter:
    """Follows the queues whose zones share one space. Every zone needs its `till`."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        for zone in zones:
            if zone.till is None:
                raise InputError(f"queue {zone.slug}: expected `till`, the place where people are served, got none")
        self._visits = VisitCounter(zones)
        self._at_till: dict[tuple[str, int], _AtTill] = {}
        self._t: float | None = None

    def update(self, track_ids: ArrayLike, points: ArrayLike, t: float) -> list[Wait]:
        """Take the confirmed tracks of one moment, as `VisitCounter.update`; returns the waits that have ended."""
        order = step(self._t, t)
        ended = [self._wait(visit) for visit in self._visits.update(track_ids, points, t)]
        if order is Step.STALE:
            return ended
        if order is Step.RESET:
            self._at_till.clear()
        self._t = t
        self._note_tills(track_ids, points, t)
        return ended

    def finish(self) -> list[Wait]:
        """End every wait, as at the end of a file."""
        return [self._wait(visit) for visit in self._visits.finish()]

    def length(self) -> dict[str, int]:
        """How many people are in each queue now, with the one who is being served."""
        return {slug: len(ids) for slug, ids in self._visits.inside().items()}

    def state(self) -> dict[str, Any]:
        tills = [[slug, track_id, asdict(till)] for (slug, track_id), till in self._at_till.items()]
        return {"t": self._t, "visits": self._visits.state(), "tills": tills}

    def restore(self, state: dict[str, Any], *, same_tracks: bool = False) -> None:
        """Go on from `state()`, as `VisitCounter.restore`."""
        self._t = state["t"]
        self._visits.restore(state["visits"], same_tracks=same_tracks)
        self._at_till = {
            (slug, int(track_id)): _AtTill(**till)
            for slug, track_id, till in state["tills"]
            if slug in self._visits.zones
        }

    def _note_tills(self, track_ids: ArrayLike, points: ArrayLike, t: float) -> None:
        ids = np.asarray(track_ids, np.int64).reshape(-1).tolist()
        places = np.asarray(points, np.float64).reshape(-1, 2)
        for slug, zone in self._visits.zones.items():
            near = np.hypot(*(places - np.array(zone.till, np.float64)).T) <= zone.till_reach
            for track_id, is_near in zip(ids, near.tolist(), strict=True):
                self._note_till((slug, track_id), zone, is_near, t)
        self._at_till = {key: till for key, till in self._at_till.items() if key in self._visits.stays}

    def _note_till(self, key: tuple[str, int], zone: Zone, is_near: bool, t: float) -> None:
        """A stay at the till is over when its owner stands elsewhere in the queue again, unless it was service."""
        stay, till = self._visits.stays.get(key), self._at_till.get(key)
        if stay is None:
            return
        if is_near:
            till = self._at_till.setdefault(key, _AtTill(t))
            till.served = till.served or bool(t - till.since >= zone.serve_s)
        elif till is not None and not till.served and stay.last_in == t:
            del self._at_till[key]

    def _wait(self, visit: Visit) -> Wait:
        till = self._at_till.pop((visit.zone, visit.track_id), None)
        if till is not None:
            return _wait(visit, max(till.since, visit.entered), "served")
        return _wait(visit, visit.left, "abandoned" if visit.ended == "left" else "unknown")


def _wait(visit: Visit, ended: float, outcome: Outcome) -> Wait:
    return Wait(visit.zone, visit.track_id, visit.entered, ended, ended - visit.entered, outcome)
