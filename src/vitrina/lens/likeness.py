"""What a score means: the probability of the same product, and of the same kind of thing. Pure.

Logistic curves (Platt 1999) for one embedder; their numbers stand in its manifest, with how they were found. How far a
product is ahead of the next one tells as much as how near it is. A photo with a box and one without have curves of
their own: of six windows one is near to something by chance.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from vitrina.errors import InputError
from vitrina.worth.interval import Interval, wilson

EXACT_AT = 0.5
"""From this probability of the same product a find is shown as exact."""

SIMILAR_AT = 0.5
"""From this probability of the same kind a find is shown as similar; below it nothing alike was found."""

USUAL_AHEAD = 0.03
"""By how much a first find is usually ahead of the next product; taken where nobody has looked."""


FEWEST = 20
"""Of either kind of example, from which a curve is fitted."""

STEEPEST = 200.0
"""Slope that a fit does not exceed: examples that a threshold divides without an error would make it endless."""


@dataclass(frozen=True, slots=True)
class Curve:
    """p = 1 / (1 + exp(−slope · (score − middle) − ahead_slope · ahead))."""

    slope: float
    middle: float
    ahead_slope: float = 0.0

    def __call__(self, score: float, ahead: float = 0.0) -> float:
        z = self.slope * (score - self.middle) + self.ahead_slope * ahead
        return 1.0 / (1.0 + exp(-min(700.0, max(-700.0, z))))


@dataclass(frozen=True, slots=True)
class Likeness:
    """fitted_on: how the curves were found, in words; "" for an embedder whose scores nobody has looked at."""

    same_curve: Curve = Curve(18.0, 0.80, 38.0)
    kind_curve: Curve = Curve(30.0, 0.48)
    fitted_on: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, Any], *, boxed: bool = False) -> Self:
        """From the `likeness` table of a model's manifest; a guess, with fitted_on "", where the table is empty."""
        if not facts:
            return cls()
        curves = facts["boxed" if boxed else "free"]
        same, kind = (
            Curve(**{name: float(value) for name, value in curves[word].items()}) for word in ("same", "kind")
        )
        return cls(same, kind, str(facts.get("fitted_on", "")))

    def same(self, cosine: float, ahead: float = USUAL_AHEAD) -> float:
        """Probability that both pictures show the same product.

        cosine: what `Look.score` says. ahead: this score less the best one of any other product, negative for all but
        the first; left out, it is taken to be ahead as usual.
        """
        return self.same_curve(cosine, ahead)

    def kind(self, cosine: float) -> float:
        """Probability that both pictures show the same kind of thing."""
        return self.kind_curve(cosine)


# ── fitting, and looking at how well a fit holds ────────────────────────────────────────────────


def fit(scores: ArrayLike, is_true: ArrayLike, ahead: ArrayLike | None = None) -> Curve:
    """Logistic curve through examples, (N,) each, by maximum likelihood with Platt's targets (1999), which do not take
    few examples for certain. Raises InputError for fewer than `FEWEST` true or untrue ones.

    ahead: left out, the curve does not look at it.
    """
    score, true = np.asarray(scores, np.float64), np.asarray(is_true, bool)
    right, wrong = int(true.sum()), int((~true).sum())
    if min(right, wrong) < FEWEST:
        raise InputError(
            f"likeness: expected {FEWEST} examples or more of right and of wrong finds, got {right}, {wrong}"
        )
    targets = np.where(true, (right + 1) / (right + 2), 1 / (wrong + 2))
    parts = (
        [np.ones_like(score), score] if ahead is None else [np.ones_like(score), score, np.asarray(ahead, np.float64)]
    )
    weights = _newton(np.stack(parts, axis=1), targets)
    slope = float(np.clip(weights[1], 1e-3, STEEPEST))
    ahead_slope = 0.0 if ahead is None else float(np.clip(weights[2], 0.0, STEEPEST))
    return Curve(slope, -float(weights[0]) / slope, ahead_slope)


def _newton(features: NDArray[np.float64], targets: NDArray[np.float64]) -> NDArray[np.float64]:
    """Weights of a logistic regression; a grain of ridge keeps them finite."""
    weights = np.zeros(features.shape[1])
    ridge = 1e-3 * np.eye(features.shape[1])
    for _ in range(100):
        said = 1 / (1 + np.exp(-np.clip(features @ weights, -500, 500)))
        slope = features.T @ (said - targets) + ridge @ weights
        curve = (features * (said * (1 - said))[:, None]).T @ features + ridge
        step = np.linalg.solve(curve, slope)
        weights = weights - step * min(1.0, 20 / max(1e-9, float(np.abs(step).max())))
        if np.abs(step).max() < 1e-8:
            break
    return weights


@dataclass(frozen=True, slots=True)
class Bin:
    """Finds of which a probability between low and high was said: the mean of that, and the share that was true."""

    low: float
    high: float
    said: float
    observed: Interval


BINS = (0.0, 0.1, 0.3, 0.5, 0.7, 0.9, 1.0)


def reliability(said: ArrayLike, is_true: ArrayLike) -> list[Bin]:
    """What was said against what was so, in bins that have examples; Wilson's intervals."""
    p, true = np.asarray(said, np.float64), np.asarray(is_true, bool)
    place = np.clip(np.digitize(p, BINS) - 1, 0, len(BINS) - 2)
    found = []
    for number in range(len(BINS) - 1):
        inside = place == number
        if n := int(inside.sum()):
            share = wilson(int(true[inside].sum()), n)
            found.append(Bin(BINS[number], BINS[number + 1], float(p[inside].mean()), share))
    return found


def calibration_error(said: ArrayLike, is_true: ArrayLike) -> float:
    """How far what is said is from what is so, on average over the bins (ECE, Naeini 2015)."""
    bins = reliability(said, is_true)
    return sum(one.observed.n * abs(one.said - one.observed.value) for one in bins) / max(
        1, sum(one.observed.n for one in bins)
    )
