"""On which side of each line every track is: the memory behind `line`, as arrays of K tracks × L lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.layout import Line
from vitrina.floor.packed import pack, unpack

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_HAIR = 1e-9
"""Stands for a distance of exactly 0, on the side the track came from."""

GLIMPSE = 0.2
"""Share of the band that a person must have been seen on the other side: doorways are narrow, boxes are not exact."""


class Ruler:
    """Measures points against lines. A line and its reverse give exactly opposite distances."""

    def __init__(self, lines: Sequence[Line]) -> None:
        ends = np.array([sorted((line.a, line.b)) for line in lines], np.float64).reshape(-1, 2, 2)
        self._starts = ends[:, 0]
        self._spans = ends[:, 1] - ends[:, 0]
        self._lengths = np.hypot(*self._spans.T)
        self._turned = np.array([1.0 if line.a <= line.b else -1.0 for line in lines])

    def measure(self, points: Floats) -> tuple[Floats, Floats]:
        """points: (N, 2) → signed distance (N, L), positive on the *in* side, and place along it (N, L), 0 to 1."""
        away = points[:, None, :] - self._starts
        (span_x, span_y), (away_x, away_y) = self._spans.T, (away[..., 0], away[..., 1])
        distance = (span_x * away_y - span_y * away_x) / self._lengths * self._turned
        along = (span_x * away_x + span_y * away_y) / self._lengths**2
        return distance, along


@dataclass(slots=True)
class Sides:
    """ids: (K,) ascending. seen_t: (K,) when last seen. unwatched_s: (K,) how much of the time since nobody looked.
    band: (K,) how far away it is clear of a line. Others (K, L).

    distance, along: where the track was last. side: −1 or +1 once known, the side it belongs to until it is clear of
    the line on the other. clear: it has been clear of the line there. passed, passed_t: how often it went through
    the segment since it was clear, less how often it came back, and when it last did.

    One of a crossing's two sides must be clear; on the other, where a track begins or ends, `GLIMPSE` of the band is
    enough. So a way walked backwards is counted as the same way out.
    """

    ids: NDArray[np.int64]
    seen_t: Floats
    unwatched_s: Floats
    band: Floats
    distance: Floats
    along: Floats
    side: NDArray[np.int8]
    clear: Mask
    passed: NDArray[np.int8]
    passed_t: Floats

    @classmethod
    def of_new(cls, ids: NDArray[np.int64], lines: int) -> Sides:
        shape = (len(ids), lines)
        return cls(
            ids=ids,
            seen_t=np.full(len(ids), -np.inf),
            unwatched_s=np.zeros(len(ids)),
            band=np.zeros(len(ids)),
            distance=np.full(shape, np.nan),
            along=np.zeros(shape),
            side=np.zeros(shape, np.int8),
            clear=np.zeros(shape, bool),
            passed=np.zeros(shape, np.int8),
            passed_t=np.zeros(shape),
        )

    def with_ids(self, ids: NDArray[np.int64]) -> Sides:
        """The same, with rows for those of `ids` that are new."""
        new = np.setdiff1d(ids, self.ids)
        if not new.size:
            return self
        more = Sides.of_new(new, self.distance.shape[1])
        order = np.argsort(np.concatenate([self.ids, new]))
        return Sides(**{name: np.concatenate([mine, getattr(more, name)])[order] for name, mine in self._arrays()})

    def away_s(self, t: float) -> Floats:
        """(K,) how long each was looked for and not seen."""
        return t - self.seen_t - self.unwatched_s

    def without(self, gone: Mask) -> Sides:
        return Sides(**{name: array[~gone] for name, array in self._arrays()})

    def move(
        self, rows: NDArray[np.intp], distance: Floats, along: Floats, band: Floats, t: float
    ) -> list[tuple[int, int]]:
        """Put the tracks in `rows` to their new places; returns (row, line) of those that have now crossed.

        distance, along: (N, L). band: (N,) how far from a line a track is clear of it.
        """
        before = self.distance[rows]
        held = (distance == 0) & np.isfinite(before) & (before != 0)
        now = np.where(held, np.copysign(_HAIR, before), distance)
        sign = np.sign(now).astype(np.int8)
        through, passed_t = self._through(rows, now, along, t)
        passed = self.passed[rows] + sign * through
        side, off = self.side[rows], np.abs(now)
        far = off > band[:, None]
        born = np.isnan(self.distance[rows]) & (off > band[:, None] * GLIMPSE)
        switched = far & (side * sign < 0)

        self.side[rows] = np.where(switched | ((side == 0) & (far | born)), sign, side)
        self.clear[rows] |= far
        self.passed[rows], self.passed_t[rows] = np.where(far, 0, passed), passed_t
        self.distance[rows], self.along[rows] = now, along
        self.band[rows], self.seen_t[rows], self.unwatched_s[rows] = band, t, 0.0
        return [(int(rows[n]), int(line)) for n, line in np.argwhere(switched & (passed * sign > 0))]

    def vanish(self, gone: Mask) -> list[tuple[int, int]]:
        """(row, line) of those that came from well on one side and ended on the other."""
        sign = np.sign(self.distance).astype(np.int8)
        beyond = np.abs(self.distance) > self.band[:, None] * GLIMPSE
        crossed = gone[:, None] & self.clear & beyond & (sign * self.side < 0) & (sign * self.passed > 0)
        self.side[crossed] = sign[crossed]
        return [(int(row), int(line)) for row, line in np.argwhere(crossed)]

    def _through(self, rows: NDArray[np.intp], now: Floats, along: Floats, t: float) -> tuple[Mask, Floats]:
        """Whether the step to `now` goes through the segment, and when a step last did; both (N, L)."""
        before, was_along = self.distance[rows], self.along[rows]
        flipped = np.sign(before) * np.sign(now) < 0
        share = np.divide(before, before - now, out=np.zeros_like(now), where=flipped)
        # Written so that the way back gives the very same number, also to who passes exactly through an end.
        at = np.divide(was_along * now - along * before, now - before, out=np.full_like(now, np.nan), where=flipped)
        through = flipped & (at >= 0) & (at <= 1)
        passed_s = np.where(through, t - self.seen_t[rows][:, None], 0.0)
        return through, np.where(through, t - passed_s * (1 - share), self.passed_t[rows])

    def as_json(self) -> dict[str, Any]:
        return {name: pack(array) for name, array in self._arrays()}

    @classmethod
    def from_json(cls, state: dict[str, Any], lines: int) -> Sides:
        blank = cls.of_new(unpack(state["ids"], np.int64, -1), lines)
        return cls(**{name: unpack(state[name], array.dtype, *array.shape) for name, array in blank._arrays()})

    def _arrays(self) -> list[tuple[str, NDArray[Any]]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]
