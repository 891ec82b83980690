"""Intervals of what many days add up to: each day is drawn as a whole, because what happens on one day is alike.

Weather, a sale, a holiday move all visitors of a day together, so drawing visitors would call the same data far more
certain than they are. The statistics here need a day's sums alone, so a year costs a millisecond.

    ratio, share, mean a day   `ratio`       BCa bootstrap over days, Efron (1987); the same draws for every figure
    quantile                   `quantile`    Woodruff (1952): the days' interval of the share below it, read off the
                                             pooled values; no value is drawn
    difference of two periods  `difference`  MOVER: the two intervals put together, Newcombe (1998) method 10 for
                                             shares, Zou and Donner (2008) for everything else
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import ceil, floor, hypot, isnan, nan

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vitrina.worth.interval import CONFIDENCE, RESAMPLES, SEED, Interval, wilson
from vitrina.worth.interval import quantile as quantile_of_one_day

Floats = NDArray[np.float64]

ENOUGH = 7
"""With fewer days than a week's, drawing days says little: then the single observations are drawn."""


def ratio(above: Floats, below: Floats, *, confidence: float = CONFIDENCE) -> Interval:
    """Σ above / Σ below with its BCa interval over days; above, below: (days,), below not negative.

    What happened on a day without a denominator joins the largest day, so that no draw divides by 0. With `below` of
    ones it is the mean a day.
    """
    total = float(below.sum())
    if total <= 0:
        return Interval(nan, nan, nan, 0)
    above, below = _without_empty(above, below)
    value, n = float(above.sum()) / total, round(total)
    if len(below) < 2:
        return Interval(value, nan, nan, n)
    without_one = (above.sum() - above) / (total - below)
    if np.ptp(without_one) <= 1e-12 * max(1.0, abs(value)):
        return Interval(value, value, value, n)
    weights = _draws(len(below))
    drawn = (weights @ above) / (weights @ below)
    low, high = _bca(drawn, without_one, value, confidence)
    return Interval(value, low, high, n)


@dataclass(frozen=True, slots=True)
class DayRatio:
    """Σ above / Σ below, one pair a day. share: it is a part of a whole, and its interval never narrower than Wilson's.

    Drawing days alone would be sure of 0 of n and n of n.
    """

    above: Floats
    below: Floats
    share: bool = False

    @property
    def value(self) -> float:
        return float(self.above.sum() / self.below.sum()) if self.below.sum() > 0 else nan

    @property
    def n(self) -> int:
        return round(float(self.below.sum()))

    def interval(self) -> Interval:
        found = ratio(self.above, self.below)
        if not self.share or not found.n:
            return found
        alone = wilson(round(float(self.above.sum())), found.n)
        low, high = (alone.low, alone.high) if isnan(found.low) else (found.low, found.high)
        return Interval(found.value, min(low, alone.low), max(high, alone.high), found.n)


@dataclass(frozen=True)
class Spread:
    """Values that come in groups, each of one day; what its quantiles share.

    values: (n,). ends: (groups,) where each group ends in `values`, none of them empty. day: (groups,) whose it is.
    """

    values: Floats
    ends: NDArray[np.int64]
    day: NDArray[np.int64]

    @cached_property
    def _parted(self) -> tuple[Floats, list[int]]:
        """The values parted at the places around which quantiles are asked for, so that each is sought in a corner."""
        marks = np.unique(np.round(np.array(_MARKS) * (len(self.values) - 1)).astype(np.int64))
        return np.partition(self.values, marks), [0, *marks.tolist(), len(self.values)]

    def at(self, shares: Sequence[float] | Floats) -> list[float]:
        """As np.quantile, which interpolates between neighbours."""
        return [self._at(position) for position in np.asarray(shares) * (len(self.values) - 1)]

    def _at(self, position: float) -> float:
        below, above = floor(position), ceil(position)
        low, high = self._nth(below), self._nth(above)
        return low + (position - below) * (high - low)

    def _nth(self, place: int) -> float:
        parted, marks = self._parted
        corner = bisect_right(marks, place)
        start = marks[corner - 1]
        return float(np.partition(parted[start : marks[corner]], place - start)[place - start])

    def by_day(self, chosen: NDArray[np.bool_]) -> tuple[Floats, Floats]:
        """How many of the values are chosen and how many there are, by day that has any."""
        starts = np.concatenate([[0], self.ends[:-1]])
        parts = np.add.reduceat(chosen, starts, dtype=np.float64), (self.ends - starts).astype(np.float64)
        days = np.unique(self.day)
        part, whole = (np.bincount(self.day, weights=counts)[days].astype(np.float64) for counts in parts)
        return part, whole


_MARKS = (0.45, 0.5, 0.55, 0.85, 0.9, 0.95)


@dataclass(frozen=True)
class DayQuantile:
    """A quantile of a spread."""

    spread: Spread
    q: float = 0.5

    @cached_property
    def value(self) -> float:
        return self.spread.at((self.q,))[0] if self.n else nan

    @property
    def n(self) -> int:
        return len(self.spread.values)

    def interval(self) -> Interval:
        if len(np.unique(self.spread.day)) < ENOUGH:
            return quantile_of_one_day(self.spread.values, self.q)
        share = ratio(*self.spread.by_day(self.spread.values <= self.value))
        edges = self.q - (share.value - share.low), self.q + (share.high - share.value)
        low, high = self.spread.at(np.clip(edges, 0.0, 1.0))
        return Interval(self.value, min(low, self.value), max(high, self.value), self.n)


def difference(now: Interval, before: Interval) -> Interval:
    """The change between two independent estimates from their intervals alone; without bounds when one has none.

    With d = v₁ − v₂: low = d − √((v₁ − l₁)² + (u₂ − v₂)²), high = d + √((u₁ − v₁)² + (v₂ − l₂)²).
    """
    value = now.value - before.value
    low = value - hypot(now.value - now.low, before.high - before.value)
    high = value + hypot(now.high - now.value, before.value - before.low)
    return Interval(value, low, high, min(now.n, before.n))


def _without_empty(above: Floats, below: Floats) -> tuple[Floats, Floats]:
    counted = below > 0
    if counted.all():
        return above, below
    merged = above.copy()
    merged[below.argmax()] += above[~counted].sum()
    return merged[counted], below[counted]


@lru_cache(maxsize=16)
def _draws(days: int) -> Floats:
    """How often each day is drawn, (RESAMPLES, days): the same for every figure over so many days."""
    drawn = np.random.default_rng(SEED).integers(0, days, (RESAMPLES, days))
    cells = drawn + days * np.arange(RESAMPLES)[:, None]
    return np.bincount(cells.ravel(), minlength=RESAMPLES * days).reshape(RESAMPLES, days).astype(np.float64)


def _bca(drawn: Floats, without_one: Floats, value: float, confidence: float) -> tuple[float, float]:
    """Bias-corrected and accelerated bounds, Efron (1987), equations 2.3 and 6.6; bias counts ties as half."""
    under = (np.count_nonzero(drawn < value) + np.count_nonzero(drawn <= value)) / (2 * len(drawn))
    bias = special.ndtri(min(max(under, 0.5 / len(drawn)), 1 - 0.5 / len(drawn)))
    pull = without_one.mean() - without_one
    acceleration = (pull**3).sum() / (6 * (pull**2).sum() ** 1.5)
    z = special.ndtri((1 - confidence) / 2) * np.array([1.0, -1.0])
    shares = special.ndtr(bias + (bias + z) / (1 - acceleration * (bias + z)))
    low, high = np.quantile(drawn, shares)
    return min(float(low), value), max(float(high), value)
