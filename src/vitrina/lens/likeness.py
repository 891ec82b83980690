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

EXACT_AT = 0.5
"""From this probability of the same product a find is shown as exact."""

SIMILAR_AT = 0.5
"""From this probability of the same kind a find is shown as similar; below it nothing alike was found."""

USUAL_AHEAD = 0.03
"""By how much a first find is usually ahead of the next product; taken where nobody has looked."""


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
