"""What a score means."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.lens.likeness import EXACT_AT, SIMILAR_AT, Curve, Likeness
from vitrina.models.manifest import IMAGE_EMBEDDER, shipped_models

scores = st.floats(-1, 1)


@pytest.fixture(params=[False, True], ids=["free", "boxed"])
def likeness(request: pytest.FixtureRequest) -> Likeness:
    (model,) = (model for model in shipped_models() if model.role == IMAGE_EMBEDDER)
    return Likeness.of(model.likeness, boxed=request.param)


def test_a_curve_is_one_half_in_its_middle() -> None:
    curve = Curve(slope=10, middle=0.6, ahead_slope=20)

    assert curve(0.6) == 0.5
    assert curve(0.7) == pytest.approx(0.7310586)
    assert curve(0.6, ahead=0.05) == pytest.approx(0.7310586)


@given(scores, scores, scores)
def test_more_alike_is_never_less_probable(low: float, high: float, ahead: float) -> None:
    low, high = sorted((low, high))
    found = Likeness()

    assert 0 <= found.same(low, ahead) <= found.same(high, ahead) <= 1
    assert found.kind(low) <= found.kind(high)


@pytest.mark.parametrize("score", [-1e9, 1e9])
def test_no_score_overflows(score: float) -> None:
    assert Curve(30, 0.5)(score) in (pytest.approx(0), pytest.approx(1))


def test_the_shipped_model_says_how_its_curves_were_found(likeness: Likeness) -> None:
    assert likeness.fitted_on


def test_an_embedder_that_nobody_looked_at_has_a_guess_that_says_so() -> None:
    assert Likeness.of({}).fitted_on == ""


def test_the_very_same_picture_is_exact_and_an_unlike_one_is_nothing(likeness: Likeness) -> None:
    assert likeness.same(0.97) >= EXACT_AT
    assert likeness.kind(0.25) < SIMILAR_AT
    assert likeness.same(0.25) < EXACT_AT


def test_one_of_two_that_are_as_near_is_less_certain_than_one_far_ahead(likeness: Likeness) -> None:
    assert likeness.same(0.69, ahead=0.0) < EXACT_AT < likeness.same(0.69, ahead=0.15)
