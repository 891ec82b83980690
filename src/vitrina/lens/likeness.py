"""What a cosine means: the probability of the same product, and of the same kind of thing. Pure.

Two logistic curves (Platt 1999), fitted for one embedder on pairs whose truth is known; the numbers stand in the
model's manifest. An embedder that nobody has fitted gets the shipped one's, which is a guess, and `fitted` says so.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import exp
from typing import Any, Self

EXACT_AT = 0.5
"""From this probability of the same product a find is shown as exact."""

SIMILAR_AT = 0.5
"""From this probability of the same kind a find is shown as similar; below it nothing alike was found."""


@dataclass(frozen=True, slots=True)
class Curve:
    """p = 1 / (1 + exp(−slope · (cosine − middle)))."""

    slope: float
    middle: float

    def __call__(self, cosine: float) -> float:
        return 1.0 / (1.0 + exp(min(700.0, max(-700.0, -self.slope * (cosine - self.middle)))))


@dataclass(frozen=True, slots=True)
class Likeness:
    """fitted_on: what the curves were fitted on, in words; "" for an embedder that nobody has fitted."""

    same_curve: Curve = Curve(30.0, 0.75)
    kind_curve: Curve = Curve(20.0, 0.55)
    fitted_on: str = ""

    @classmethod
    def of(cls, facts: Mapping[str, Any]) -> Self:
        """From the `likeness` table of a model's manifest; the defaults where it is empty."""
        if not facts:
            return cls()
        same, kind = facts["same"], facts["kind"]
        return cls(
            Curve(float(same["slope"]), float(same["middle"])),
            Curve(float(kind["slope"]), float(kind["middle"])),
            str(facts.get("fitted_on", "")),
        )

    def same(self, cosine: float) -> float:
        """Probability that both pictures show the same product."""
        return self.same_curve(cosine)

    def kind(self, cosine: float) -> float:
        """Probability that both pictures show the same kind of thing; never below `same`."""
        return max(self.kind_curve(cosine), self.same_curve(cosine))
