"""Intervals: a value, how far it may be off, and how many observations it stands on.

    share        `wilson`             Wilson (1927)
    quantile     `quantile`           exact bootstrap of an order statistic, Efron (1979)
    mean         `mean`               BCa bootstrap, Efron (1987), by SciPy
    ratio        `ratio`              BCa bootstrap over clusters (hours or days); may exceed 1
    any          `clustered`          BCa bootstrap over whole days, because visits of one day are alike
    difference   `paired_difference`  BCa bootstrap over pairs
    today        `against_days`       Student's prediction interval for one more day

What cannot be known is NaN, never a guess: the interval of one observation has NaN bounds. Every bootstrap is
seeded: the same data give the same interval on every machine and on every reload of a page.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import ceil, floor, nan, sqrt
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy import special, stats

from vitrina.errors import InputError

CONFIDENCE = 0.95
RESAMPLES = 999
SEED = 1927

Statistic = Callable[[NDArray[np.float64]], Any]


@dataclass(frozen=True, slots=True)
class Interval:
    """`value` lies between `low` and `high` with the stated confidence; it stands on `n` observations."""

    value: float
    low: float
    high: float
    n: int


def wilson(successes: int, n: int, *, confidence: float = CONFIDENCE) -> Interval:
    """The score interval of a share, Wilson (1927), without continuity correction.

    Unlike the textbook's normal interval it never leaves [0, 1] and says something useful at 0 of n and n of n.
    """
    if not 0 <= successes <= n:
        raise InputError(f"expected 0 ≤ successes ≤ n, got {successes} of {n}: a share counts a part of a whole")
    if n == 0:
        return Interval(nan, 0.0, 1.0, 0)
    z = float(special.ndtri(0.5 + confidence / 2))
    share = successes / n
    centre = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    # At 0 of n and n of n the bound is the share itself, but for the last bit.
    return Interval(share, max(0.0, min(share, centre - half)), min(1.0, max(share, centre + half)), n)


def quantile(values: ArrayLike, q: float = 0.5, *, confidence: float = CONFIDENCE) -> Interval:
    """A quantile with the percentile bootstrap's interval, computed exactly instead of by drawing.

    A resample's k-th smallest value is at most the j-th smallest of the sample with the probability that a
    Binomial(n, j/n) reaches k (Efron 1979, section 3), which is the incomplete beta function I(j/n; k, n − k + 1).
    No random number is needed, and any n is quick.
    """
    ordered = np.sort(np.asarray(values, dtype=np.float64))
    n = len(ordered)
    if n == 0:
        return Interval(nan, nan, nan, 0)
    value = quantile_of(ordered, q)
    if n == 1:
        return Interval(value, nan, nan, 1)
    position = q * (n - 1)  # the value interpolates between the two neighbours of this position; so do the bounds
    tails = np.array([(1 - confidence) / 2, (1 + confidence) / 2])
    of_lower, of_upper = (
        ordered[np.ceil(n * special.betaincinv(rank + 1, n - rank, tails)).astype(int) - 1]
        for rank in (floor(position), ceil(position))
    )
    low, high = of_lower + (position % 1) * (of_upper - of_lower)
    return Interval(value, min(float(low), value), max(float(high), value), n)


def quantile_of(values: NDArray[np.float64], q: float) -> float:
    """np.quantile of one array that is not empty, without its 0.2 ms of ceremony."""
    position = q * (len(values) - 1)
    below, above = floor(position), ceil(position)
    parted = np.partition(values, (below, above))
    return float(parted[below] + (position - below) * (parted[above] - parted[below]))


def mean(values: ArrayLike, *, confidence: float = CONFIDENCE, seed: int = SEED) -> Interval:
    """The mean with its BCa interval."""
    sample = np.asarray(values, dtype=np.float64)
    if len(sample) == 0:
        return Interval(nan, nan, nan, 0)
    value = float(sample.mean())
    low, high = _bca((sample,), np.mean, steady=np.ptp(sample) == 0, value=value, confidence=confidence, seed=seed)
    return Interval(value, low, high, len(sample))


def ratio(
    numerators: ArrayLike, denominators: ArrayLike, *, confidence: float = CONFIDENCE, seed: int = SEED
) -> Interval:
    """Σ numerators / Σ denominators with its BCa interval over clusters (one pair per hour or day).

    numerators, denominators: (clusters,) counts or sums, denominators not negative. The ratio may exceed 1 (more
    receipts than counted entries). `n` is Σ denominators. What happened in a cluster without a denominator
    (a receipt in an hour in which nobody was counted) joins the largest cluster, so that no resample divides by 0.
    """
    above, below = np.asarray(numerators, dtype=np.float64), np.asarray(denominators, dtype=np.float64)
    if above.shape != below.shape or (below < 0).any():
        raise InputError(
            f"expected one denominator ≥ 0 for each numerator, got shapes {above.shape} and {below.shape}"
            f" with the smallest denominator {below.min(initial=0)}"
        )
    total = float(below.sum())
    if total == 0:
        return Interval(nan, nan, nan, 0)
    above, below = _merge_empty(above, below)
    value = float(above.sum()) / total
    without_one = (above.sum() - above) / np.where(total > below, total - below, 1.0)
    low, high = _bca(
        (above, below), _ratio_of_sums, steady=np.ptp(without_one) == 0, value=value, confidence=confidence, seed=seed
    )
    return Interval(value, low, high, round(total))


def clustered(
    groups: Sequence[ArrayLike], statistic: Statistic, *, confidence: float = CONFIDENCE, seed: int = SEED
) -> Interval:
    """Any statistic of pooled values with its BCa interval over whole groups (days).

    groups: one array of values per day. statistic: pooled values → one number (np.median, np.mean, …).
    Drawing whole days keeps what the visits of one day share, such as the weather or a sale; drawing visits
    would call the same data far more certain than they are. `n` is the number of pooled values.
    """
    days = [array for array in (np.asarray(group, dtype=np.float64) for group in groups) if len(array)]
    if not days:
        return Interval(nan, nan, nan, 0)

    def pooled(indices: NDArray[np.int64]) -> float:
        return float(statistic(np.concatenate([days[int(index)] for index in indices])))

    everything = np.arange(len(days))
    without_one = [pooled(np.delete(everything, index)) for index in everything] if len(days) > 1 else [0.0]
    value = pooled(everything)
    low, high = _bca(
        (everything,), pooled, steady=np.ptp(without_one) == 0, value=value, confidence=confidence, seed=seed
    )
    return Interval(value, low, high, sum(map(len, days)))


def paired_difference(
    before: ArrayLike, after: ArrayLike, *, confidence: float = CONFIDENCE, seed: int = SEED
) -> Interval:
    """The mean of `after − before` over pairs (the same shop, day or query measured twice), with its BCa interval."""
    first, second = np.asarray(before, dtype=np.float64), np.asarray(after, dtype=np.float64)
    if first.shape != second.shape:
        raise InputError(f"expected as many values after as before, got {len(second)} and {len(first)}")
    return mean(second - first, confidence=confidence, seed=seed)


def against_days(today: float, days: ArrayLike, *, confidence: float = CONFIDENCE) -> Interval:
    """How far today lies from the mean of earlier days, with Student's prediction interval for one more day.

    The bounds hold today − mean ± t(k−1)·s·√(1 + 1/k): what lies above 0 as a whole is more than the earlier days'
    own ups and downs explain. With so few days a bootstrap would be too sure of itself. One day gives a change
    without bounds. `n` is the number of days.
    """
    earlier = np.asarray(days, dtype=np.float64)
    k = len(earlier)
    if k == 0 or np.isnan(today):
        return Interval(nan, nan, nan, 0)
    change = today - float(earlier.mean())
    if k == 1:
        return Interval(change, nan, nan, 1)
    t = float(special.stdtrit(k - 1, 0.5 + confidence / 2))
    half = t * float(earlier.std(ddof=1)) * sqrt(1 + 1 / k)
    return Interval(change, change - half, change + half, k)


def _bca(
    samples: tuple[NDArray[np.float64] | NDArray[np.int64], ...],
    statistic: Callable[..., Any],
    *,
    steady: bool | np.bool_,
    value: float,
    confidence: float,
    seed: int,
) -> tuple[float, float]:
    """Bounds by scipy.stats.bootstrap; where no observation makes a difference (`steady`) BCa is not defined."""
    if len(samples[0]) < 2:
        return nan, nan
    if steady:
        return value, value
    result = stats.bootstrap(
        samples,
        statistic,
        paired=True,
        n_resamples=RESAMPLES,
        confidence_level=confidence,
        method="BCa",
        rng=np.random.default_rng(seed),
    )
    return float(result.confidence_interval.low), float(result.confidence_interval.high)


def _ratio_of_sums(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64], axis: int = -1
) -> NDArray[np.float64]:
    return np.asarray(numerators.sum(axis=axis) / denominators.sum(axis=axis))


def _merge_empty(
    numerators: NDArray[np.float64], denominators: NDArray[np.float64]
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    counted = denominators > 0
    merged = numerators.copy()
    merged[denominators.argmax()] += numerators[~counted].sum()
    return merged[counted], denominators[counted]
