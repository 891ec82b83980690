"""Curves fitted on labelled queries, and how well they hold."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from vitrina.errors import InputError
from vitrina.lens.calibration import Scored, check, examples, facts_of, fitted, keep
from vitrina.lens.likeness import Curve, Likeness, calibration_error, fit, reliability

DICE = np.random.default_rng(5)


def drawn(curve: Curve, count: int = 4000) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores, how far ahead, and whether it was so, as the curve says."""
    score, ahead = DICE.uniform(0.3, 0.95, count), DICE.uniform(0, 0.2, count)
    said = np.array([curve(*pair) for pair in zip(score, ahead, strict=True)])
    return score, ahead, DICE.uniform(size=count) < said


def test_a_fit_finds_the_curve_that_made_the_examples() -> None:
    curve = Curve(14.0, 0.7, 30.0)
    score, ahead, true = drawn(curve)

    found = fit(score, true, ahead)

    assert found.slope == pytest.approx(14, rel=0.15)
    assert found.middle == pytest.approx(0.7, abs=0.03)
    assert found.ahead_slope == pytest.approx(30, rel=0.2)


def test_examples_that_a_threshold_divides_do_not_make_it_certain() -> None:
    found = fit([0.2] * 30 + [0.8] * 30, [False] * 30 + [True] * 30)

    assert 0.4 < found.middle < 0.6
    assert found(0.8) < 0.99


def test_too_few_examples_are_refused() -> None:
    with pytest.raises(InputError, match="20 examples or more of right and of wrong finds, got 3, 40"):
        fit([0.5] * 43, [True] * 3 + [False] * 40)


def test_more_alike_is_never_less_probable_whatever_the_examples_say() -> None:
    upside_down = fit(np.linspace(0, 1, 100), np.linspace(0, 1, 100) < 0.5, np.linspace(1, 0, 100) * 0)

    assert upside_down.slope > 0
    assert upside_down.ahead_slope >= 0


def test_reliability_is_what_was_said_beside_what_was_so() -> None:
    said = [0.05] * 10 + [0.8] * 10

    low, high = reliability(said, [False] * 9 + [True] + [True] * 6 + [False] * 4)

    assert (low.low, low.high, low.said, low.observed.value, low.observed.n) == (0.0, 0.1, pytest.approx(0.05), 0.1, 10)
    assert (high.said, high.observed.value) == (pytest.approx(0.8), 0.6)
    assert calibration_error(said, [False] * 9 + [True] + [True] * 6 + [False] * 4) == pytest.approx(0.125)
    assert calibration_error([], []) == 0


def product(name: str, score: float, category: str = "Shoes") -> Scored:
    return Scored(frozenset({name, f"best/{name}"}), category, score)


def test_each_query_is_asked_with_its_product_and_without_it_and_without_its_kind() -> None:
    found = [product("a", 0.9), product("b", 0.7), product("c", 0.6, "Bags"), product("d", 0.5, "Bags")]

    some = examples([(found, frozenset({"best/a"}), "Shoes")])

    assert some.score.tolist() == [0.9, 0.7, 0.6, 0.7, 0.6, 0.5, 0.6, 0.5]
    assert np.round(some.ahead, 6).tolist() == [0.2, -0.2, -0.3, 0.1, -0.1, -0.2, 0.1, -0.1]
    assert some.same.tolist() == [True] + [False] * 7
    assert some.kind.tolist() == [True, True, False, True, False, False, False, False]


def test_a_fit_holds_better_on_other_queries_than_a_curve_that_is_off() -> None:
    def searches(count: int) -> list[tuple[list[Scored], frozenset[str], str]]:
        rows = []
        for _ in range(count):
            scores = {"right": DICE.normal(0.6, 0.05), "x": DICE.normal(0.45, 0.05), "y": DICE.normal(0.42, 0.05)}
            products = [product(name, score) for name, score in scores.items()]
            rows.append((sorted(products, key=lambda one: -one.score), frozenset({"right"}), "Shoes"))
        return rows

    before, held_out = Likeness(), examples(searches(100))
    after = fitted(examples(searches(100)), before, "these")

    assert check(after, held_out).error < 0.5 * check(before, held_out).error
    assert (after.fitted_on, after.kind_curve) == ("these", before.kind_curve)


def test_what_was_fitted_here_counts_before_the_manifest_and_only_for_its_half(tmp_path: Path) -> None:
    shipped = {
        "fitted_on": "elsewhere",
        "free": {"same": {"slope": 1, "middle": 0.5}, "kind": {"slope": 2, "middle": 0.4}},
        "boxed": {"same": {"slope": 3, "middle": 0.6}, "kind": {"slope": 4, "middle": 0.3}},
    }
    assert facts_of(tmp_path, "lite", shipped) == shipped

    keep(tmp_path, "lite", Likeness(Curve(9.0, 0.7, 5.0), Curve(8.0, 0.2), "here"), boxed=False, before=shipped)
    facts = facts_of(tmp_path, "lite", shipped)

    assert Likeness.of(facts) == Likeness(Curve(9.0, 0.7, 5.0), Curve(8.0, 0.2), "here")
    assert Likeness.of(facts, boxed=True).same_curve == Curve(3.0, 0.6)
    assert facts_of(tmp_path, "other", shipped) == shipped


def test_a_damaged_file_says_what_to_do(tmp_path: Path) -> None:
    path = keep(tmp_path, "lite", Likeness(), boxed=True, before={})
    path.write_text("{")

    with pytest.raises(InputError, match="Remove it, and fit again"):
        facts_of(tmp_path, "lite", {})
