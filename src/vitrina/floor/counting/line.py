"""Who crossed a finite line, which way, once.

Crossed *in* when (B−A)×(P−A) goes from negative to positive: with y down, from the left of A→B to its right as seen in
the picture. A crossing counts when a person has come clear of the line on its other side, and is settled when it can
no longer be half of a U-turn, so that rows once written need never be taken back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrina.errors import InputError
from vitrina.floor.counting.clock import Step, step
from vitrina.floor.counting.side import Floats, Ruler, Sides
from vitrina.floor.layout import PLAN, Line, Point
from vitrina.floor.rhythm import Rhythm

Direction = Literal["in", "out"]

ROOM_PX, ROOM_SHARE = 12.0, 0.02
"""What a line needs on both sides: pixels, but at least this share of the picture's shorter side."""


@dataclass(frozen=True, slots=True)
class Crossing:
    """t: the moment on the line, seconds since the epoch."""

    line: str
    track_id: int
    t: float
    direction: Direction


@dataclass(frozen=True, slots=True)
class LineOptions:
    """band_px, band_share, band_m: how far beyond a line a person is clear of it: pixels, but at least this share of
    their box's height; metres for lines on the plan. A fifth is enough where a track begins or ends, as in doorways.
    uturn_s: who comes back over the line within this, in one track, has turned round: both crossings cancel out. Longer
    would strike out shoppers who are soon out again and stay in sight (`benchmarks bias`: 60 s loses 30 % of them).
    Longer, and it was a visit: somebody who shops for ten minutes in sight of one camera came in.
    forget_s: a track that was not seen for so long has ended.
    """

    band_px: float = 10.0
    band_share: float = 0.06
    band_m: float = 0.25
    uturn_s: float = 10.0
    forget_s: float = 5.0


class LineCounter:
    """Counts crossings of lines that share one space, for all tracks of one camera (or of one plan) at once."""

    def __init__(
        self, lines: Sequence[Line], size_wh: tuple[int, int] | None = None, *, options: LineOptions | None = None
    ) -> None:
        """size_wh: the picture's, to refuse lines too near its edge; None skips that check."""
        if len({line.space for line in lines}) > 1:
            raise InputError("a LineCounter takes the lines of one space: one camera's pixels or the plan's metres")
        self._on_plan = bool(lines) and lines[0].space == PLAN
        for line in lines:
            if size_wh is not None and not self._on_plan:
                check_line(line.a, line.b, size_wh)
        self._slugs = [line.slug for line in lines]
        self._drawn = [[line.slug, *line.a, *line.b] for line in lines]
        self._ruler = Ruler(lines)
        self._options = options or LineOptions()
        self._tracks = Sides.of_new(np.empty(0, np.int64), len(lines))
        self._pending: list[_Pending] = []
        self._settled = dict.fromkeys(self._slugs, (0, 0))
        self._t: float | None = None
        self._rhythm = Rhythm()

    def update(
        self, track_ids: ArrayLike, anchors: ArrayLike, t: float, *, heights_px: ArrayLike | None = None
    ) -> list[Crossing]:
        """Take the confirmed tracks of one moment; returns the crossings that have become certain.

        track_ids: (N,). anchors: (N, 2) in the lines' space; NaN rows are left out. heights_px: (N,) of their boxes.
        A frame out of order is dropped; a clock set far back ends every track.
        """
        match step(self._t, t):
            case Step.STALE:
                return []
            case Step.RESET:
                settled = self.finish()
            case Step.FORWARD:
                self._tracks.unwatched_s += self._rhythm.unwatched_s(t - (t if self._t is None else self._t))
                settled = self._forget(self._tracks.away_s(t) > self._options.forget_s)
        self._t = t
        self._move(*_distinct(track_ids, anchors, heights_px), t)
        return settled + self._settle(lambda waiting: waiting.until < t)

    def finish(self) -> list[Crossing]:
        """End every track, as at the end of a file; returns what was not certain before."""
        return self._forget(np.ones(len(self._tracks.ids), bool)) + self._settle(lambda _: True)

    def totals(self) -> dict[str, dict[Direction, int]]:
        """In and out per line so far, net of U-turns, with the crossings that are not settled yet."""
        totals: dict[str, dict[Direction, int]] = {slug: {"in": i, "out": o} for slug, (i, o) in self._settled.items()}
        for waiting in self._pending:
            totals[waiting.crossing.line][waiting.crossing.direction] += 1
        return totals

    def state(self) -> dict[str, Any]:
        """All that is needed to go on after a restart, as JSON."""
        return {
            "t": self._t,
            "settled": {slug: list(counts) for slug, counts in self._settled.items()},
            "pending": [waiting.as_json() for waiting in self._pending],
            "tracks": self._tracks.as_json(),
            "lines": self._drawn,
        }

    def restore(self, state: dict[str, Any], *, same_tracks: bool = False) -> None:
        """Go on from `state()`. Crossings that were waiting settle with the next update.

        same_tracks: the tracker was restored too and goes on with the same ids. Otherwise ids start afresh, and
        nothing of a person from before is taken for a person of now, nor when lines were moved meanwhile. Lines that
        are gone are left out.
        """
        for slug, counts in state["settled"].items():
            if slug in self._settled:
                self._settled[slug] = (int(counts[0]), int(counts[1]))
        pending = [_Pending.from_json(row) for row in state["pending"] if row[0] in self._settled]
        self._t, self._rhythm = state["t"], Rhythm()
        if same_tracks and state["lines"] == self._drawn:
            self._pending = pending
            self._tracks = Sides.from_json(state["tracks"], len(self._slugs))
        else:
            self._pending = [_Pending(waiting.crossing, until=waiting.crossing.t) for waiting in pending]

    def _move(self, ids: NDArray[np.int64], points: Floats, heights_px: Floats, t: float) -> None:
        self._tracks = self._tracks.with_ids(ids)
        rows = np.searchsorted(self._tracks.ids, ids)
        distance, along = self._ruler.measure(points)
        for row, line in self._tracks.move(rows, distance, along, self._band(heights_px), t):
            self._cross(row, line, t)

    def _band(self, heights_px: Floats) -> Floats:
        if self._on_plan:
            return np.full(len(heights_px), self._options.band_m)
        return np.maximum(self._options.band_px, self._options.band_share * heights_px)

    def _cross(self, row: int, line: int, t: float) -> None:
        """Note a crossing, or strike out the one that it undoes. `side` is the new side already."""
        direction: Direction = "in" if self._tracks.side[row, line] > 0 else "out"
        track_id, slug = int(self._tracks.ids[row]), self._slugs[line]
        crossing = Crossing(slug, track_id, float(self._tracks.passed_t[row, line]), direction)
        for waiting in reversed(self._pending):
            earlier = waiting.crossing
            if (earlier.line, earlier.track_id) == (slug, track_id) and waiting.until >= t:
                if earlier.direction == direction:
                    break
                self._pending.remove(waiting)
                return
        self._pending.append(_Pending(crossing, until=t + self._options.uturn_s))

    def _forget(self, gone: NDArray[np.bool_]) -> list[Crossing]:
        """End these tracks, and settle what they left."""
        if not gone.any():
            return []
        for row, line in self._tracks.vanish(gone):
            self._cross(row, line, float(self._tracks.seen_t[row]))
        ids = set(self._tracks.ids[gone].tolist())
        self._tracks = self._tracks.without(gone)
        return self._settle(lambda waiting: waiting.crossing.track_id in ids)

    def _settle(self, certain: Callable[[_Pending], bool]) -> list[Crossing]:
        settled = [waiting.crossing for waiting in self._pending if certain(waiting)]
        self._pending = [waiting for waiting in self._pending if not certain(waiting)]
        for crossing in settled:
            counted_in, counted_out = self._settled[crossing.line]
            inwards = crossing.direction == "in"
            self._settled[crossing.line] = (counted_in + inwards, counted_out + (not inwards))
        return sorted(settled, key=lambda crossing: (crossing.t, crossing.line, crossing.track_id))


def check_line(a: Point, b: Point, size_wh: tuple[int, int]) -> None:
    """Raises InputError with the reason when most of the line a → b cannot be crossed by feet seen in the picture."""
    ends = np.array([a, b], np.float64)
    size = np.array(size_wh, np.float64)
    if not np.isfinite(ends).all() or np.any(ends < 0) or np.any(ends > size):
        raise InputError(f"expected a line inside the picture of {size_wh[0]}×{size_wh[1]} pixels, got {_drawn(a, b)}")
    room_px = max(ROOM_PX, ROOM_SHARE * float(size.min()))
    length = float(np.hypot(*(ends[1] - ends[0])))
    if length < 2 * room_px:
        raise InputError(
            f"the line {_drawn(a, b)} is {length:.0f} px long, expected at least {2 * room_px:.0f}: "
            "nobody's steps would meet it. Draw it across the whole way."
        )
    across = room_px * np.array([ends[0, 1] - ends[1, 1], ends[1, 0] - ends[0, 0]]) / length
    places = ends[0] + np.linspace(0, 1, 101)[:, None] * (ends[1] - ends[0])
    both_sides = np.stack([places + across, places - across])
    too_near = np.stack(
        [both_sides[..., 0] < 0, both_sides[..., 0] > size[0], both_sides[..., 1] < 0, both_sides[..., 1] > size[1]]
    )
    if np.mean(too_near.any(axis=(0, 1))) > 0.5:
        edge = ("left", "right", "upper", "lower")[int(too_near.any(axis=1).mean(axis=1).argmax())]
        raise InputError(
            f"the line {_drawn(a, b)} is too near the picture's {edge} edge to be crossed: feet must be seen "
            f"{room_px:.0f} px beyond it on both sides. Draw it farther inside."
        )


@dataclass(frozen=True, slots=True)
class _Pending:
    """A crossing that may still be half of a U-turn, until a moment."""

    crossing: Crossing
    until: float

    def as_json(self) -> list[Any]:
        crossing = self.crossing
        return [crossing.line, crossing.track_id, crossing.t, crossing.direction, self.until]

    @classmethod
    def from_json(cls, row: list[Any]) -> _Pending:
        return cls(Crossing(*row[:4]), until=row[4])


def _distinct(
    track_ids: ArrayLike, anchors: ArrayLike, heights_px: ArrayLike | None
) -> tuple[NDArray[np.int64], Floats, Floats]:
    """Ids ascending and once each, with their points and heights; without the points that are not known."""
    ids = np.asarray(track_ids, np.int64).reshape(-1)
    points = np.asarray(anchors, np.float64).reshape(-1, 2)
    heights = np.zeros(len(ids)) if heights_px is None else np.asarray(heights_px, np.float64).reshape(-1)
    known = np.isfinite(points).all(axis=1)
    ids, first = np.unique(ids[known], return_index=True)
    return ids, points[known][first], heights[known][first]


def _drawn(a: Point, b: Point) -> str:
    return f"{a[0]:g},{a[1]:g} → {b[0]:g},{b[1]:g}"
