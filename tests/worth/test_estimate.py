import math

import numpy as np
import pytest

from vitrina.worth.estimate import Count, Mean, Quantile, Ratio, Share

VALUES = np.array([4.0, 1.0, 9.0, 2.0, 7.0])


@pytest.mark.parametrize(
    "estimate",
    [
        Count(7),
        Share(3, 8),
        Quantile(VALUES),
        Quantile(VALUES, 0.9),
        Mean(VALUES),
        Ratio(VALUES, np.array([2.0, 2.0, 5.0, 1.0, 3.0])),
    ],
)
def test_the_cheap_value_and_count_are_those_of_the_interval(estimate):
    shown = estimate.interval()
    assert shown.value == pytest.approx(estimate.value)
    assert shown.n == estimate.n


@pytest.mark.parametrize("estimate", [Share(0, 0), Quantile(VALUES[:0]), Mean(VALUES[:0]), Ratio(VALUES, 0 * VALUES)])
def test_nothing_observed_is_unknown(estimate):
    assert math.isnan(estimate.value)
    assert estimate.n == 0


def test_a_count_has_no_bounds_of_its_own():
    assert math.isnan(Count(7).interval().low)


def test_a_quantile_is_numpys():
    for q in (0.0, 0.25, 0.5, 0.9, 1.0):
        assert Quantile(VALUES, q).value == pytest.approx(np.quantile(VALUES, q))
