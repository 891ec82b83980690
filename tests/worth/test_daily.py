"""Intervals of many rows at once against closed formulas, SciPy's t interval, and the bootstrap of `interval.py`."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vitrina.worth import daily, interval

ONE = np.ones((1, 6), bool)


def test_the_mean_of_days_has_students_interval():
    counts = np.array([[410.0, 380, 402, 455, 390, 433]])
    found = daily.bounds(daily.ratio(counts, np.ones_like(counts), ONE))
    expected = stats.ttest_1samp(counts[0], 0).confidence_interval(0.95)
    assert found.value[0] == pytest.approx(counts.mean())
    assert (found.low[0], found.high[0]) == pytest.approx((expected.low, expected.high))


def test_a_ratio_is_nearly_what_the_bootstrap_over_days_says():
    rng = np.random.default_rng(5)
    below = rng.integers(300, 600, 60).astype(float)
    above = rng.binomial(below.astype(int), 0.3).astype(float)
    found = daily.bounds(daily.ratio(above[None], below[None], np.ones((1, 60), bool)))
    drawn = interval.ratio(above, below)
    assert found.value[0] == pytest.approx(drawn.value)
    assert found.high[0] - found.low[0] == pytest.approx(drawn.high - drawn.low, rel=0.15)


def test_days_that_are_not_used_change_nothing():
    above, below = np.array([[3.0, 99, 5]]), np.array([[10.0, 1, 10]])
    used = np.array([[True, False, True]])
    some = daily.ratio(above, below, used)
    alone = daily.ratio(above[:, [0, 2]], below[:, [0, 2]], used[:, [0, 2]])
    assert (some.value[0], some.days[0], some.n[0]) == (alone.value[0], 2, 20)
    assert daily.bounds(some).high[0] == pytest.approx(daily.bounds(alone).high[0])


def test_one_day_has_a_value_and_no_bounds_and_no_day_has_neither():
    found = daily.bounds(daily.ratio(np.array([[4.0], [0.0]]), np.array([[8.0], [0.0]]), np.array([[True], [False]])))
    assert found.value[0] == 0.5
    assert np.isnan(found.low).all()
    assert np.isnan(found.value[1])


def test_a_median_stands_at_the_pooled_one_and_its_days_say_how_firmly():
    pooled, counts = np.array([10.0]), np.array([[5.0, 5, 5, 5]])
    calm = daily.bounds(daily.quantile(pooled, np.array([[10.0, 10, 10, 10]]), counts))
    moved = daily.bounds(daily.quantile(pooled, np.array([[6.0, 14, 8, 12]]), counts))
    assert (calm.low[0], calm.high[0]) == (10.0, 10.0)
    spread = np.sqrt(np.mean([16, 16, 4, 4]) / 3)  # sectioning: deviations from the pooled value, k − 1
    assert moved.high[0] == pytest.approx(10 + stats.t.ppf(0.975, 3) * spread)


def test_the_same_week_days_cancel_what_they_share():
    week = np.array([[100.0, 110, 105, 120, 200, 300, 0]])
    used = np.ones_like(week, bool)
    before = daily.ratio(week, np.ones_like(week), used)
    after = daily.ratio(week + np.array([[9.0, 10, 11, 10, 9, 11, 10]]), np.ones_like(week), used)
    paired = daily.difference(after, before, paired=True)
    apart = daily.difference(after, before, paired=False)
    assert paired.value[0] == apart.value[0] == pytest.approx(10.0)
    assert paired.low[0] > 9
    assert apart.low[0] < 0


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=12), st.lists(st.floats(0, 1e6), min_size=2, max_size=12))
def test_two_periods_apart_are_compared_as_welch_does(first, second):
    parts = [
        daily.ratio(np.array([days]), np.ones((1, len(days))), np.ones((1, len(days)), bool))
        for days in (first, second)
    ]
    found = daily.difference(*parts, paired=False)
    if np.ptp(first) < 1e-3 or np.ptp(second) < 1e-3:
        return
    expected = stats.ttest_ind(first, second, equal_var=False).confidence_interval(0.95)
    assert found.low[0] == pytest.approx(expected.low, rel=1e-6, abs=1e-6)
    assert found.high[0] == pytest.approx(expected.high, rel=1e-6, abs=1e-6)


@given(st.integers(1, 9), st.integers(2, 9), st.integers(0, 2**31))
def test_rows_do_not_know_of_each_other(rows, days, seed):
    rng = np.random.default_rng(seed)
    above, below = rng.integers(0, 50, (rows, days)) * 1.0, rng.integers(0, 90, (rows, days)) * 1.0
    used = rng.random((rows, days)) < 0.8
    together = daily.bounds(daily.ratio(above, below, used))
    for row in range(rows):
        alone = daily.bounds(daily.ratio(above[[row]], below[[row]], used[[row]]))
        np.testing.assert_array_equal(together.low[row], alone.low[0])
