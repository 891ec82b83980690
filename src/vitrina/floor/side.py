"""On which side of each line every track is: the memory behind `line`, as arrays of K tracks × L lines."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.floor.layout import Line

Floats = NDArray[np.float64]
Mask = NDArray[np.bool_]

_HAIR = 1e-9
"""Stands for a distance of exactly 0, on the side the track came from."""


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
    """ids: (K,) ascending. seen_t: (K,) when last seen. All others (K, L).

    distance, along: where the track was last. side: −1 or +1 once known, the side it belongs to until it is clear of
    the line on the other. clear: it has been clear of the line there. through, flipped_t: whether it last changed
    sides within the segment, and when.
    """

    ids: NDArray[np.int64]
    seen_t: Floats
    distance: Floats
    along: Floats
    side: NDArray[np.int8]
    clear: Mask
    through: Mask
    flipped_t: Floats

    @classmethod
    def of_new(cls, ids: NDArray[np.int64], lines: int) -> Sides:
        shape = (len(ids), lines)
        return cls(
            ids=ids,
            seen_t=np.full(len(ids), -np.inf),
            distance=np.full(shape, np.nan),
            along=np.zeros(shape),
            side=np.zeros(shape, np.int8),
            clear=np.zeros(shape, bool),
            through=np.zeros(shape, bool),
            flipped_t=np.zeros(shape),
        )

    def with_ids(self, ids: NDArray[np.int64]) -> Sides:
        """The same, with rows for those of `ids` that are new."""
        new = np.setdiff1d(ids, self.ids)
        if not new.size:
            return self
        more = Sides.of_new(new, self.distance.shape[1])
        order = np.argsort(np.concatenate([self.ids, new]))
        return Sides(**{name: np.concatenate([mine, getattr(more, name)])[order] for name, mine in self._arrays()})

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
        flipped = np.sign(before) * np.sign(now) < 0
        share = np.divide(before, before - now, out=np.zeros_like(now), where=flipped)
        at = self.along[rows] + (along - self.along[rows]) * share
        seen_t = self.seen_t[rows][:, None]
        flip_t = np.where(flipped, t - np.where(flipped, t - seen_t, 0.0) * (1 - share), self.flipped_t[rows])
        through = np.where(flipped, (at >= 0) & (at <= 1), self.through[rows])
        far = np.abs(now) > band[:, None]
        side, sign = self.side[rows], np.sign(now).astype(np.int8)
        switched = far & (side * sign < 0)

        self.side[rows] = np.where(switched | (side == 0), sign, side)
        self.clear[rows] |= far
        self.through[rows], self.flipped_t[rows] = through, flip_t
        self.distance[rows], self.along[rows], self.seen_t[rows] = now, along, t
        return [(int(rows[n]), int(line)) for n, line in np.argwhere(switched & through)]

    def vanish(self, gone: Mask, end_s: float) -> list[tuple[int, int]]:
        """(row, line) of those that came from well on one side and ended on the other, there for `end_s` at least."""
        sign = np.sign(self.distance).astype(np.int8)
        stayed = self.seen_t[:, None] - self.flipped_t >= end_s
        crossed = gone[:, None] & self.clear & self.through & (sign * self.side < 0) & stayed
        self.side[crossed] = sign[crossed]
        return [(int(row), int(line)) for row, line in np.argwhere(crossed)]

    def as_json(self) -> dict[str, Any]:
        return {name: array.tolist() for name, array in self._arrays()}

    @classmethod
    def from_json(cls, state: dict[str, Any], lines: int) -> Sides:
        blank = cls.of_new(np.array(state["ids"], np.int64), lines)
        return cls(**{name: np.array(state[name], a.dtype).reshape(a.shape) for name, a in blank._arrays()})

    def _arrays(self) -> list[tuple[str, NDArray[Any]]]:
        return [(field.name, getattr(self, field.name)) for field in fields(self)]
