"""What scores mean on a shop's own pictures: curves fitted on labelled queries, checked on others, kept with the index.

Pure, but for the file. Every query is asked with its product in the catalog and without it: a search must know both
what it has and what it lacks.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from vitrina.errors import InputError
from vitrina.lens.likeness import Bin, Likeness, calibration_error, fit, reliability
from vitrina.lens.offer import Offer

FINDS = 3
"""Of each search, so many of the first products are examples."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scored:
    """A product that a search found. names: of its offers, as answers call them. score: what likeness is fitted for."""

    names: frozenset[str]
    category: str
    score: float


def scored_of(offers: Sequence[Offer], score: float) -> Scored:
    """A product by its offers, of which there is one at least."""
    names = frozenset(name for one in offers for name in (one.offer_id, f"{one.shop}/{one.offer_id}"))
    category = next((one.category[-1] for one in offers if one.category), "")
    return Scored(names, category, score)


@dataclass(frozen=True, slots=True)
class Examples:
    """(N,) each, find by find. ahead: of the best other product. same, kind: whether the find was the product, or at
    least of its category.
    """

    score: Floats
    ahead: Floats
    same: NDArray[np.bool_]
    kind: NDArray[np.bool_]


def examples(searches: Iterable[tuple[Sequence[Scored], frozenset[str], str]]) -> Examples:
    """searches: products best first, right answers, and the category of these."""
    rows: list[tuple[float, float, bool, bool]] = []
    for products, answers, category in searches:
        others = [one for one in products if not one.names & answers]
        strangers = [one for one in others if one.category != category]
        for left in (products, others, strangers):
            for place, one in enumerate(left[:FINDS]):
                best_other = left[0 if place else 1].score if len(left) > 1 else 0.0
                rows.append((one.score, one.score - best_other, bool(one.names & answers), one.category == category))
    table = np.array(rows, np.float64).reshape(-1, 4)
    return Examples(table[:, 0], table[:, 1], table[:, 2] > 0, table[:, 3] > 0)


@dataclass(frozen=True, slots=True)
class Check:
    """How well curves hold on examples. error: see `calibration_error`, of the same product."""

    error: float
    bins: tuple[Bin, ...]
    examples: int


def fitted(some: Examples, before: Likeness, fitted_on: str) -> Likeness:
    """Raises InputError for too few examples. Where all finds are of one kind, that curve stays as it was before."""
    same = fit(some.score, some.same, some.ahead)
    try:
        kind = fit(some.score, some.kind)
    except InputError:
        kind = before.kind_curve
    return Likeness(same, kind, fitted_on)


def check(likeness: Likeness, some: Examples) -> Check:
    said = [likeness.same(score, ahead) for score, ahead in zip(some.score, some.ahead, strict=True)]
    return Check(calibration_error(said, some.same), tuple(reliability(said, some.same)), len(said))


# ── kept beside the index ───────────────────────────────────────────────────────────────────────


def path_of(folder: Path, model: str) -> Path:
    """folder: `settings.lens`."""
    return folder / "likeness" / f"{model}.json"


def facts_of(folder: Path, model: str, shipped: Mapping[str, Any]) -> Mapping[str, Any]:
    """What was fitted here, in the form of a manifest's table; the manifest's own where nothing was."""
    try:
        kept = json.loads(path_of(folder, model).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return shipped
    except (OSError, ValueError) as error:
        raise InputError(f"{path_of(folder, model)}: cannot be read: {error}. Remove it, and fit again") from error
    return {**shipped, **kept}


def keep(folder: Path, model: str, likeness: Likeness, *, boxed: bool, before: Mapping[str, Any]) -> Path:
    """before: what held until now; its other half, with or without a box, goes on. Gives the file."""
    curves = {"same": asdict(likeness.same_curve), "kind": asdict(likeness.kind_curve)}
    other = Likeness.of(before, boxed=not boxed)
    rest = {"same": asdict(other.same_curve), "kind": asdict(other.kind_curve)}
    told = {"boxed": curves if boxed else rest, "free": rest if boxed else curves, "fitted_on": likeness.fitted_on}
    path = path_of(folder, model)
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    draft = path.with_suffix(".draft")
    draft.write_text(json.dumps(told, indent=2), encoding="utf-8")
    draft.replace(path)
    return path


def halves(count: int) -> tuple[list[int], list[int]]:
    """Every other query fits, the rest checks: both see the whole file."""
    return list(range(0, count, 2)), list(range(1, count, 2))
