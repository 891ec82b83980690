"""How many seconds people spent on each patch of floor, hour by hour."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from vitrina.errors import InputError
from vitrina.floor.counting.clock import Step, step
from vitrina.floor.layout import Plan
from vitrina.floor.packed import pack, unpack

CELL_CM = 25
HOUR_S = 3600.0


@dataclass(frozen=True, slots=True)
class Heat:
    """Person-seconds of one cell in one hour. t: the hour's start. ix, iy: cell counted from the plan's corner."""

    t: float
    ix: int
    iy: int
    cell_cm: int
    seconds: float


class HeatGrid:
    """Accumulates at the analysis rate. Only cells of the plan are kept, so memory has a bound."""

    def __init__(self, plan: Plan, *, cell_cm: int = CELL_CM, gap_s: float = 2.0) -> None:
        """gap_s: after a longer pause between two moments nobody knows where people were: it adds nothing."""
        if cell_cm <= 0 or plan.width_m <= 0 or plan.height_m <= 0:
            raise InputError(f"expected a plan and cells larger than 0, got {plan} and {cell_cm} cm")
        self._size_m = np.array([plan.width_m, plan.height_m])
        self._cell_cm = cell_cm
        self._gap_s = gap_s
        self._cells: defaultdict[tuple[int, int], float] = defaultdict(float)
        self._t: float | None = None

    def update(self, points_m: ArrayLike, t: float) -> list[Heat]:
        """points_m: (N, 2) where people stand at t, NaN and what is off the plan left out.

        The seconds since the moment before go to where people are now. Returns the cells of an hour that has ended.
        """
        order = step(self._t, t)
        if order is Step.STALE:
            return []
        passed_s = 0.0 if self._t is None else t - self._t
        ended = self.finish() if self._t is not None and t // HOUR_S != self._t // HOUR_S else []
        self._t = t
        if 0.0 < passed_s <= self._gap_s:
            self._add(np.asarray(points_m, np.float64).reshape(-1, 2), passed_s)
        return ended

    def finish(self) -> list[Heat]:
        """The cells of the hour so far; they start again from 0."""
        if self._t is None:
            return []
        hour = self._t // HOUR_S * HOUR_S
        cells = [Heat(hour, ix, iy, self._cell_cm, seconds) for (ix, iy), seconds in sorted(self._cells.items())]
        self._cells.clear()
        return cells

    def state(self) -> dict[str, Any]:
        at, seconds = np.array(list(self._cells), np.int16).reshape(-1, 2), np.array(list(self._cells.values()))
        return {"t": self._t, "cells": pack(at), "seconds": pack(seconds.astype(np.float64))}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from `state()`; cells that are off the plan by now are left out."""
        self._t = state["t"]
        limit = np.ceil(self._size_m * 100 / self._cell_cm)
        at = unpack(state["cells"], np.int16, -1, 2)
        for (ix, iy), seconds in zip(at.tolist(), unpack(state["seconds"], np.float64, len(at)).tolist(), strict=True):
            if 0 <= ix < limit[0] and 0 <= iy < limit[1]:
                self._cells[ix, iy] += seconds

    def _add(self, points_m: np.ndarray[Any, np.dtype[np.float64]], seconds: float) -> None:
        on_plan = np.all((points_m >= 0) & (points_m < self._size_m), axis=1)
        for ix, iy in np.floor(points_m[on_plan] * 100 / self._cell_cm).astype(int).tolist():
            self._cells[ix, iy] += seconds
