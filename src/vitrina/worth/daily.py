"""Many values at once, each with an interval over days: a chain's shops in one go, where a bootstrap takes minutes.

    ratio        linearised, whole days as clusters          Cochran (1977), Sampling Techniques, eq. 6.13
    quantile     sectioning: days around the pooled value    Asmussen & Glynn (2007), Stochastic Simulation, III.5a
    difference   day by day when the days belong together    Student (1908); else Welch (1947)

Everything is one idea: a day's *pull* is how much it moved the value. Pulls add up to about 0; the more they differ,
the less one more day would leave the value where it is. Bounds are Student's with k − 1 degrees of freedom for k days,
so two days give a wide interval and one day none (NaN).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import special

from vitrina.worth.interval import CONFIDENCE

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Mask = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Daily:
    """One value a row, made of days.

    value: (rows,), NaN where nothing was observed. pull: (rows, days), 0 on a day that is not used.
    days: (rows,) how many days are used. n: (rows,) what the value stands on.
    """

    value: Floats
    pull: Floats
    days: Ints
    n: Ints


@dataclass(frozen=True, slots=True)
class Bounds:
    """value, low, high: (rows,); bounds are NaN where they cannot be known."""

    value: Floats
    low: Floats
    high: Floats


def ratio(above: Floats, below: Floats, used: Mask) -> Daily:
    """Σ above / Σ below over the used days; all (rows, days). With ones below: the mean of a day."""
    above, below = np.where(used, above, 0.0), np.where(used, below, 0.0)
    total = below.sum(axis=1)
    value = np.divide(above.sum(axis=1), total, out=np.full(len(total), np.nan), where=total > 0)
    safe = np.where(total > 0, total, 1.0)[:, None]
    pull = np.where(used & (total > 0)[:, None], (above - np.nan_to_num(value)[:, None] * below) / safe, 0.0)
    return Daily(value, pull, used.sum(axis=1), total.round().astype(np.int64))


def quantile(pooled: Floats, by_day: Floats, counts: Floats) -> Daily:
    """A quantile of everything, (rows,), from its values by day and how many observations each stands on, (rows, days).

    Days weigh by their observations, so that a quiet day with an odd median moves little.
    """
    counts = np.nan_to_num(counts)
    total = counts.sum(axis=1)
    used = (counts > 0) & np.isfinite(by_day) & np.isfinite(pooled)[:, None]
    weights = counts / np.where(total > 0, total, 1.0)[:, None]
    pull = np.where(used, weights * (np.nan_to_num(by_day) - np.nan_to_num(pooled)[:, None]), 0.0)
    return Daily(np.where(total > 0, pooled, np.nan), pull, used.sum(axis=1), total.round().astype(np.int64))


def bounds(daily: Daily, *, confidence: float = CONFIDENCE) -> Bounds:
    half = student(daily.days - 1, confidence) * np.sqrt(_variance(daily.pull, daily.days))
    return Bounds(daily.value, daily.value - half, daily.value + half)


def difference(after: Daily, before: Daily, *, paired: bool, confidence: float = CONFIDENCE) -> Bounds:
    """`after − before` by row.

    paired: the days of both stand in the same order and belong together (the same week days, or the same days in
    another shop), so that what both share, such as Saturdays, cancels out.
    """
    value = after.value - before.value
    if paired:
        days = np.maximum(after.days, before.days)
        variance, freedom = _variance(after.pull - before.pull, days), (days - 1).astype(np.float64)
    else:
        parts = [_variance(each.pull, each.days) for each in (after, before)]
        variance = parts[0] + parts[1]
        below = sum(part**2 / np.maximum(each.days - 1, 1) for part, each in zip(parts, (after, before), strict=True))
        fewest = np.minimum(after.days, before.days) - 1
        freedom = np.where(below > 0, variance**2 / np.where(below > 0, below, 1.0), fewest)
        freedom = np.where(fewest < 1, 0.0, freedom)
    half = student(freedom, confidence) * np.sqrt(variance)
    return Bounds(value, value - half, value + half)


def student(freedom: NDArray[np.float64] | Ints, confidence: float) -> Floats:
    """The factor of Student's interval; NaN without a degree of freedom."""
    free = np.asarray(freedom, dtype=np.float64)
    factor: Floats = np.where(free >= 1, special.stdtrit(np.maximum(free, 1.0), 0.5 + confidence / 2), np.nan)
    return factor


def _variance(pull: Floats, days: Ints) -> Floats:
    """k/(k − 1) · Σ pull²."""
    variance: Floats = (pull**2).sum(axis=1) * days / np.maximum(days - 1, 1)
    return variance
