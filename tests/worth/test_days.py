"""Intervals over days, each against a second way to the same number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vitrina.worth import days, interval
from vitrina.worth.days import DayQuantile, DayRatio, Spread
from vitrina.worth.interval import Interval


def a_month(seed, *, days_=28):
    """Receipts and entries of days that differ from each other more than chance."""
    rng = np.random.default_rng(seed)
    entries = rng.poisson(400, days_) + 50.0
    return rng.binomial(entries.astype(int), rng.uniform(0.15, 0.3, days_)).astype(float), entries


@pytest.mark.parametrize("seed", range(4))
def test_a_ratio_over_days_is_the_bootstrap_of_scipy(seed):
    above, below = a_month(seed)
    ours, reference = days.ratio(above, below), interval.ratio(above, below)
    assert (ours.value, ours.n) == (pytest.approx(reference.value), reference.n)
    width = reference.high - reference.low
    assert ours.low == pytest.approx(reference.low, abs=0.05 * width)
    assert ours.high == pytest.approx(reference.high, abs=0.05 * width)


def test_days_that_differ_make_a_share_less_certain_than_its_people_do():
    above, below = a_month(1)
    over_days = DayRatio(above, below, share=True).interval()
    alone = interval.wilson(int(above.sum()), int(below.sum()))
    assert over_days.low < alone.low < over_days.value < alone.high < over_days.high


def test_days_that_are_all_alike_leave_the_interval_of_the_people():
    over_days = DayRatio(np.zeros(20), np.full(20, 10.0), share=True).interval()
    assert (over_days.low, over_days.high) == (0.0, interval.wilson(0, 200).high)


def test_what_happened_on_a_day_without_entries_is_not_lost():
    found = days.ratio(np.array([1.0, 2.0, 3.0, 4.0]), np.array([0.0, 10.0, 10.0, 20.0]))
    assert found.value == pytest.approx(10 / 40)
    assert found.low <= found.value <= found.high


def test_no_day_and_one_day_have_no_interval():
    assert np.isnan(days.ratio(np.zeros(0), np.zeros(0)).value)
    one = days.ratio(np.array([3.0]), np.array([10.0]))
    assert one.value == pytest.approx(0.3)
    assert np.isnan(one.low)


def dwells(seed, n_days):
    rng = np.random.default_rng(seed)
    return [rng.lognormal(3 + rng.normal(0, 0.2), 0.8, rng.integers(20, 60)) for _ in range(n_days)]


@pytest.mark.parametrize("q", [0.5, 0.9])
def test_a_quantile_over_days_agrees_with_drawing_whole_days(q):
    groups = dwells(3, 30)
    ends = np.cumsum([len(group) for group in groups])
    ours = DayQuantile(Spread(np.concatenate(groups), ends, np.arange(30)), q).interval()
    reference = interval.clustered(groups, lambda pooled: np.quantile(pooled, q))
    assert ours.value == pytest.approx(reference.value)
    width = reference.high - reference.low
    assert ours.low == pytest.approx(reference.low, abs=0.3 * width)
    assert ours.high == pytest.approx(reference.high, abs=0.3 * width)


def test_a_quantile_of_a_few_days_is_that_of_its_values():
    groups = dwells(3, 3)
    pooled = np.concatenate(groups)
    found = DayQuantile(Spread(pooled, np.cumsum([len(group) for group in groups]), np.arange(3))).interval()
    assert found == interval.quantile(pooled)


def test_a_day_may_come_in_several_groups():
    groups = dwells(5, 40)
    whole, halves = (
        DayQuantile(Spread(np.concatenate(groups), np.cumsum([len(part) for part in parts]), day))
        for parts, day in (
            ([np.concatenate(groups[at : at + 2]) for at in range(0, 40, 2)], np.arange(20)),
            (groups, np.arange(40) // 2),
        )
    )
    assert whole.interval() == halves.interval()


@given(st.lists(st.floats(0, 1e4), min_size=1, max_size=50), st.floats(0, 1))
def test_quantiles_are_those_of_numpy(values, q):
    spread = Spread(np.array(values), np.array([len(values)]), np.zeros(1, np.int64))
    assert spread.at((q,))[0] == pytest.approx(float(np.quantile(values, q)), abs=1e-9)


def test_a_difference_of_shares_is_newcombes_method_10():
    """Newcombe (1998), table II, example (a): 56/70 against 48/80 gives 0.0524 to 0.3339."""
    found = days.difference(interval.wilson(56, 70), interval.wilson(48, 80))
    assert (round(found.value, 4), round(found.low, 4), round(found.high, 4)) == (0.2, 0.0524, 0.3339)


def test_a_difference_to_what_has_no_interval_has_none():
    found = days.difference(interval.wilson(5, 10), Interval(0.4, np.nan, np.nan, 1))
    assert found.value == pytest.approx(0.1)
    assert np.isnan(found.low)
