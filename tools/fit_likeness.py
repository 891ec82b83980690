"""Fit what an embedder's scores mean on simulated products, and check it on held-out ones and on real photos.

    python tools/fit_likeness.py     # prints the curves, how well they hold, and those of the manifest beside them
    python tools/fit_likeness.py --products 400 --seed 5

Products are the demo's: each shop shows them in its own way, a person photographs them turned, in uneven light, among
other things. A photo is asked with its product in the catalog and without it. Half of the products fit the curves, the
other half checks them; real photos (the shared evaluation pictures, where they are here) only check and never fit.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from benchmarks import photo as real

from vitrina.lens.calibration import Examples, Scored
from vitrina.lens.calibration import examples as of_searches
from vitrina.lens.demo.assortment import SHOPS
from vitrina.lens.demo.design import make_designs
from vitrina.lens.demo.drawing import draw
from vitrina.lens.demo.studio import Placed, shop_picture, snapshot
from vitrina.lens.embed import catalog_vectors, look
from vitrina.lens.found import BoxFractions
from vitrina.lens.likeness import Curve, Likeness, calibration_error, fit, reliability
from vitrina.models.embedder import Embedder
from vitrina.models.manifest import IMAGE_EMBEDDER, shipped_models

Floats = NDArray[np.float64]
NEAREST = 60


def examples(scores: Floats, right: NDArray[np.intp], kinds: NDArray[np.str_]) -> Examples:
    """scores: (queries, products). The nearest `NEAREST` products of each query, as a search finds them."""
    searches = []
    for some, answer in zip(scores, right, strict=True):
        order = np.argsort(-some)[:NEAREST].tolist()
        found = [Scored(frozenset({str(one)}), str(kinds[one]), float(some[one])) for one in order]
        searches.append((found, frozenset({str(answer)}), str(kinds[answer])))
    return of_searches(searches)


def simulated(
    embedder: Embedder, products: int, seed: int
) -> dict[bool, tuple[Floats, NDArray[np.intp], NDArray[np.str_]]]:
    """With a box (True) and without one: scores, right products, their kinds. A third of them is photographed."""
    designs = make_designs(products, seed=seed)
    shown = [shop_picture(draw(one), SHOPS[one.number % len(SHOPS)].studio, [one.number, seed]) for one in designs]
    kept = catalog_vectors(embedder, shown)
    owner, flat = np.repeat(np.arange(products), [len(some) for some in kept]), np.concatenate(kept)
    dice, tables = np.random.default_rng(seed), {True: list[Floats](), False: list[Floats]()}
    asked = np.arange(0, products, 3)
    for number in asked:
        x, y, wide = dice.uniform(0.42, 0.58), dice.uniform(0.42, 0.58), dice.uniform(0.45, 0.8)
        other = draw(designs[(number + 1) % products], size=500)
        beside = Placed(other, dice.uniform(0.1, 0.9), dice.uniform(0.1, 0.9), 0.3, dice.uniform(-30, 30))
        thing = Placed(draw(designs[number], size=700), x, y, wide, dice.uniform(-15, 15))
        photo = snapshot([beside, thing], seed=int(number) + 1000 * seed)
        high = wide * photo.shape[1] / photo.shape[0]
        box: BoxFractions = (x - wide / 2, y - high / 2, x + wide / 2, y + high / 2)
        for boxed in (True, False):
            seen = look(embedder, photo, box if boxed else None)
            best = np.full((products, len(seen.vectors)), -1, np.float32)
            np.maximum.at(best, owner, flat @ seen.vectors.T)
            tables[boxed].append(np.asarray(seen.score(best.T), np.float64))
    kinds = np.array([one.kind for one in designs])
    return {boxed: (np.array(rows, np.float64), asked, kinds) for boxed, rows in tables.items()}


def clothes(embedder: Embedder) -> dict[bool, tuple[Floats, NDArray[np.intp]]]:
    task = real.read_clothes()
    ours = real.ways(embedder, task.catalog)["ours"]
    free = real.Task(task.photos, [None] * len(task.photos), task.right, task.catalog)
    return {
        boxed: (np.asarray(real.measure(one, ours).scores, np.float64), np.array(task.right))
        for boxed, one in ((True, task), (False, free))
    }


def said(curve: Curve, some: Examples) -> Floats:
    return np.array([curve(score, ahead) for score, ahead in zip(some.score, some.ahead, strict=True)])


def show(name: str, curve: Curve, some: Examples, true: NDArray[np.bool_]) -> None:
    p = said(curve, some)
    brier = float(((p - true) ** 2).mean())
    print(f"  {name}: {len(p)} finds, calibration error {calibration_error(p, true):.3f}, Brier {brier:.3f}")
    for one in reliability(p, true):
        seen = one.observed
        was = f"{seen.value:.2f} ({seen.low:.2f}–{seen.high:.2f}) of {seen.n}"
        print(f"    said {one.low:.1f}–{one.high:.1f}, mean {one.said:.2f}: {was}")


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--products", type=int, default=420)
    parser.add_argument("--seed", type=int, default=11)
    options = parser.parse_args(arguments)
    (model,) = (model for model in shipped_models() if model.role == IMAGE_EMBEDDER)
    embedder = Embedder(model)
    there = simulated(embedder, options.products, options.seed)
    held_out = simulated(embedder, options.products, options.seed + 1)
    photos = clothes(embedder) if real.DATA.exists() else {}
    for boxed, word in ((False, "free"), (True, "boxed")):
        learnt, check = examples(*there[boxed]), examples(*held_out[boxed])
        fitted = {"same": fit(learnt.score, learnt.same, learnt.ahead), "kind": fit(learnt.score, learnt.kind)}
        shipped = Likeness.of(model.likeness, boxed=boxed)
        for what, old in (("same", shipped.same_curve), ("kind", shipped.kind_curve)):
            curve, true = fitted[what], getattr(check, what)
            print(f"[model.likeness.{word}.{what}]\nslope = {curve.slope:.1f}\nmiddle = {curve.middle:.3f}")
            print(f"ahead_slope = {curve.ahead_slope:.1f}" if what == "same" else "")
            show("fitted, on held-out simulated products", curve, check, true)
            show("of the manifest, on the same", old, check, true)
            if boxed in photos and what == "same":
                scores, right = photos[boxed]
                some = examples(scores, right, np.arange(scores.shape[1]).astype(str))
                show("fitted, on real photos of clothes", curve, some, some.same)
                show("of the manifest, on the same", old, some, some.same)
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
