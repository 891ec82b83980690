"""Estimates: what was observed, from which the value is cheap and the interval is asked for only when it is shown.

A day's page shows one day with intervals and compares it with four earlier days of which it needs the values alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import nan
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from vitrina.worth import interval
from vitrina.worth.interval import Interval


class Estimate(Protocol):
    """value is NaN when nothing was observed; n counts what the value stands on."""

    @property
    def value(self) -> float: ...

    @property
    def n(self) -> int: ...

    def interval(self) -> Interval: ...


@dataclass(frozen=True, slots=True)
class Count:
    """A number of things seen. How many were missed only an audit can say, so it has no bounds of its own."""

    n: int

    @property
    def value(self) -> float:
        return float(self.n)

    def interval(self) -> Interval:
        return Interval(self.value, nan, nan, self.n)


@dataclass(frozen=True, slots=True)
class Share:
    """`part` of `n`."""

    part: int
    n: int

    @property
    def value(self) -> float:
        return self.part / self.n if self.n else nan

    def interval(self) -> Interval:
        return interval.wilson(self.part, self.n)


@dataclass(frozen=True, slots=True)
class Quantile:
    """values: (n,)."""

    values: NDArray[np.float64]
    q: float = 0.5

    @property
    def value(self) -> float:
        return interval.quantile_of(self.values, self.q) if self.n else nan

    @property
    def n(self) -> int:
        return len(self.values)

    def interval(self) -> Interval:
        return interval.quantile(self.values, self.q)


@dataclass(frozen=True, slots=True)
class Mean:
    """values: (n,)."""

    values: NDArray[np.float64]

    @property
    def value(self) -> float:
        return float(self.values.mean()) if self.n else nan

    @property
    def n(self) -> int:
        return len(self.values)

    def interval(self) -> Interval:
        return interval.mean(self.values)


@dataclass(frozen=True, slots=True)
class Ratio:
    """Σ above / Σ below over clusters; above, below: (clusters,), one pair an hour or a day."""

    above: NDArray[np.float64]
    below: NDArray[np.float64]

    @property
    def value(self) -> float:
        return float(self.above.sum() / self.below.sum()) if self.n else nan

    @property
    def n(self) -> int:
        return round(float(self.below.sum()))

    def interval(self) -> Interval:
        return interval.ratio(self.above, self.below)
