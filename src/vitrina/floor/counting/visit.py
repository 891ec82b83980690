"""Who was in which zone, from when to when.

A visit begins when somebody has been inside for `enter_s`, and ends when they have been seen outside for `leave_s` or
not been seen at all for `lost_s`; it lasts from the first moment inside to the last one. All in seconds, never frames.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from operator import attrgetter
from typing import Any, Literal

import numpy as np
import shapely
from numpy.typing import ArrayLike, NDArray

from vitrina.errors import InputError
from vitrina.floor.counting.clock import Step, step
from vitrina.floor.layout import Zone
from vitrina.floor.rhythm import Rhythm

Ended = Literal["left", "lost", "finished"]


@dataclass(frozen=True, slots=True)
class Visit:
    """entered, left: first and last moment inside, seconds since the epoch."""

    zone: str
    track_id: int
    entered: float
    left: float
    dwell_s: float
    ended: Ended


@dataclass(slots=True)
class Stay:
    """One track in one zone, until it has left for sure.

    first_in, last_in: first and last moment inside. inside_s: time inside so far. entered: it is a visit.
    out_since, last_out: since when and until when it was seen outside after that; None while inside.
    unwatched_s: how much of the time since it was last seen nobody looked.
    """

    first_in: float
    last_in: float
    inside_s: float = 0.0
    entered: bool = False
    out_since: float | None = None
    last_out: float | None = None
    unwatched_s: float = 0.0

    def seen_inside(self, t: float) -> None:
        if self.out_since is None:
            self.inside_s += t - self.last_in
        self.last_in, self.out_since, self.last_out, self.unwatched_s = t, None, None, 0.0

    def seen_outside(self, t: float) -> None:
        self.out_since = t if self.out_since is None else self.out_since
        self.last_out, self.unwatched_s = t, 0.0

    def over(self, t: float, zone: Zone) -> Ended | None:
        """How it has ended by t, when it has: was the track last seen outside, or not seen at all?"""
        if self.out_since is None:
            return "lost" if t - self.last_in - self.unwatched_s >= zone.lost_s else None
        return "left" if t - self.out_since - self.unwatched_s >= zone.leave_s else None

    def broken(self, t: float, zone: Zone) -> bool:
        """Whether somebody who is inside again at t was away too long for it to be the same visit."""
        last_seen = self.last_in if self.last_out is None else self.last_out
        return t - last_seen - self.unwatched_s >= zone.lost_s


class VisitCounter:
    """Counts visits to zones that share one space, for all tracks at once. Somebody may be in several zones."""

    def __init__(self, zones: Sequence[Zone]) -> None:
        if len({zone.space for zone in zones}) > 1:
            raise InputError("a VisitCounter takes the zones of one space: the plan's metres or one camera's pixels")
        self.zones = {zone.slug: zone for zone in zones}
        self._polygons = [shapely.Polygon(zone.polygon) for zone in zones]
        shapely.prepare(self._polygons)
        self.stays: dict[tuple[str, int], Stay] = {}
        """By zone and track, those that have not left for sure; read it, do not change it."""
        self._orphans: list[Visit] = []
        self._t: float | None = None
        self._rhythm = Rhythm()

    def update(self, track_ids: ArrayLike, points: ArrayLike, t: float) -> list[Visit]:
        """Take the confirmed tracks of one moment; returns the visits that have ended.

        track_ids: (N,). points: (N, 2) where they stand, in the zones' space; NaN counts as not seen. A frame out of
        order is dropped; a clock set far back ends every visit.
        """
        ended = self._orphans
        self._orphans = []
        match step(self._t, t):
            case Step.STALE:
                return ended
            case Step.RESET:
                ended = ended + self.finish(ended="lost")
            case Step.FORWARD:
                self._pause(self._rhythm.unwatched_s(t - (t if self._t is None else self._t)))
        self._t = t
        return ended + self._observe(track_ids, points, t) + self._close(lambda stay, zone: stay.over(t, zone))

    def inside(self) -> dict[str, list[int]]:
        """The tracks that are visiting now, by zone."""
        inside: dict[str, list[int]] = {slug: [] for slug in self.zones}
        for (slug, track_id), stay in self.stays.items():
            if stay.entered:
                inside[slug].append(track_id)
        return inside

    def finish(self, *, ended: Ended = "finished") -> list[Visit]:
        """End every visit, as at the end of a file."""
        return self._close(lambda _stay, _zone: ended)

    def state(self) -> dict[str, Any]:
        """All that is needed to go on after a restart, as JSON."""
        return {
            "t": self._t,
            "stays": [[*key, *_in_stay(stay)] for key, stay in self.stays.items()],
            "orphans": [asdict(visit) for visit in self._orphans],
        }

    def restore(self, state: dict[str, Any], *, same_tracks: bool = False) -> None:
        """Go on from `state()`.

        same_tracks: the tracker was restored too and goes on with the same ids. Otherwise ids start afresh: the
        visits that were open end where they were last seen, with the next update, and belong to nobody of now.
        """
        self._t, self._rhythm = state["t"], Rhythm()
        self._orphans = [Visit(**visit) for visit in state["orphans"]]
        self.stays = {
            (slug, int(track_id)): Stay(*stay) for slug, track_id, *stay in state["stays"] if slug in self.zones
        }
        if not same_tracks:
            self._orphans += self.finish(ended="lost")

    def _pause(self, seconds: float) -> None:
        if seconds:
            for stay in self.stays.values():
                stay.unwatched_s += seconds

    def _observe(self, track_ids: ArrayLike, points: ArrayLike, t: float) -> list[Visit]:
        broken: list[Visit] = []
        for key, zone, inside in self._seen(track_ids, points):
            stay = self.stays.get(key)
            if stay is None:
                if not inside:
                    continue
                stay = self.stays[key] = Stay(t, t)
            elif not inside:
                stay.seen_outside(t)
                continue
            elif stay.broken(t, zone):
                broken += _visit(key, stay, "lost")
                stay = self.stays[key] = Stay(t, t)
            stay.seen_inside(t)
            stay.entered = stay.entered or bool(stay.inside_s >= zone.enter_s)  # no NumPy type may get into the state
        return broken

    def _seen(self, track_ids: ArrayLike, points: ArrayLike) -> Iterator[tuple[tuple[str, int], Zone, bool]]:
        """Every track that was seen, with every zone, and whether it is inside (or on its edge)."""
        ids = np.asarray(track_ids, np.int64).reshape(-1)
        places = np.asarray(points, np.float64).reshape(-1, 2)
        known = np.isfinite(places).all(axis=1)
        ids, first = np.unique(ids[known], return_index=True)
        x, y = places[known][first].T
        for zone, polygon in zip(self.zones.values(), self._polygons, strict=True):
            inside: NDArray[np.bool_] = shapely.intersects_xy(polygon, x, y)
            for track_id, is_inside in zip(ids.tolist(), inside.tolist(), strict=True):
                yield (zone.slug, track_id), zone, is_inside

    def _close(self, over: Callable[[Stay, Zone], Ended | None]) -> list[Visit]:
        visits: list[Visit] = []
        for key, stay in list(self.stays.items()):
            ended = over(stay, self.zones[key[0]])
            if ended is not None:
                del self.stays[key]
                visits += _visit(key, stay, ended)
        return visits


_in_stay = attrgetter(*(field.name for field in fields(Stay)))


def _visit(key: tuple[str, int], stay: Stay, ended: Ended) -> list[Visit]:
    """The visit that a stay was; none when it was too short to be one."""
    if not stay.entered:
        return []
    slug, track_id = key
    return [Visit(slug, track_id, stay.first_in, stay.last_in, stay.last_in - stay.first_in, ended)]
