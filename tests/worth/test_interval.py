import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from vitrina.errors import InputError
from vitrina.worth import interval


@pytest.mark.parametrize(
    ("successes", "n", "low", "high"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_gives_newcombes_published_table(successes, n, low, high):
    # Newcombe (1998), Statistics in Medicine 17, 857-872, table I, method 3.
    share = interval.wilson(successes, n)
    assert (round(share.low, 4), round(share.high, 4)) == (low, high)


def test_a_share_of_nothing_is_unknown_and_may_be_anything():
    share = interval.wilson(0, 0)
    assert math.isnan(share.value)
    assert (share.low, share.high, share.n) == (0.0, 1.0, 0)


def test_a_share_above_one_is_refused():
    with pytest.raises(InputError, match="5 of 4"):
        interval.wilson(5, 4)


@given(st.integers(0, 500), st.integers(1, 500))
def test_a_share_lies_inside_its_interval_which_lies_inside_0_and_1(successes, n):
    share = interval.wilson(min(successes, n), n)
    assert 0 <= share.low <= share.value <= share.high <= 1


@pytest.mark.parametrize("q", [0.5, 0.9])
@pytest.mark.parametrize("n", [31, 200, 1001])
def test_a_quantiles_interval_is_the_one_that_drawing_resamples_tends_to(q, n):
    values = np.random.default_rng(n).gamma(2.0, 20.0, n)
    drawn = stats.bootstrap(
        (values,), lambda x, axis: np.quantile(x, q, axis=axis), method="percentile", n_resamples=9999, rng=1
    ).confidence_interval
    exact = interval.quantile(values, q)
    width = drawn.high - drawn.low
    assert exact.low == pytest.approx(drawn.low, abs=0.1 * width)
    assert exact.high == pytest.approx(drawn.high, abs=0.1 * width)


def test_a_medians_interval_covers_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(5)
    hits = 0
    for _ in range(1000):
        median = interval.quantile(rng.exponential(1.0, 40))
        hits += median.low <= math.log(2) <= median.high
    assert 930 <= hits <= 985


@given(st.lists(st.floats(0, 1e6), min_size=2, max_size=60), st.floats(0.01, 0.99))
def test_a_quantile_lies_inside_its_interval_which_lies_inside_the_sample(values, q):
    found = interval.quantile(values, q)
    assert min(values) <= found.low <= found.value <= found.high <= max(values)


def test_one_observation_has_a_value_and_no_interval():
    for found in (
        interval.quantile([3.0]),
        interval.mean([3.0]),
        interval.ratio([6], [2]),
        interval.clustered([[3.0]], np.median),
    ):
        assert found.value == 3.0
        assert math.isnan(found.low)
        assert math.isnan(found.high)


def test_no_observation_has_no_value():
    for found in (interval.quantile([]), interval.mean([]), interval.ratio([], []), interval.clustered([], np.median)):
        assert math.isnan(found.value)
        assert found.n == 0


def test_a_sample_without_spread_has_an_interval_without_width_and_no_warning():
    for found in (
        interval.quantile([2.0] * 9),
        interval.mean([2.0] * 9),
        interval.ratio([2, 4, 6], [1, 2, 3]),
        interval.clustered([[2.0, 2.0], [2.0]], np.median),
    ):
        assert (found.value, found.low, found.high) == (2.0, 2.0, 2.0)


def test_a_mean_has_scipys_bca_interval():
    values = np.random.default_rng(3).gamma(2.0, 10.0, 60)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=interval.RESAMPLES, method="BCa", rng=np.random.default_rng(interval.SEED)
    ).confidence_interval
    assert interval.mean(values) == interval.Interval(values.mean(), expected.low, expected.high, 60)


def test_a_ratio_of_counts_may_exceed_one():
    found = interval.ratio([12, 11, 14], [10, 10, 10])
    assert found.value == pytest.approx(37 / 30)
    assert 1.0 < found.low < found.value < found.high
    assert found.n == 30


def test_a_receipt_in_an_hour_without_entries_still_counts():
    assert interval.ratio([3, 1, 0], [10, 0, 0]).value == pytest.approx(0.4)


def test_negative_denominators_and_unpaired_counts_are_refused():
    with pytest.raises(InputError, match="one denominator"):
        interval.ratio([1, 2], [1])
    with pytest.raises(InputError, match="smallest denominator -1"):
        interval.ratio([1, 2], [1, -1])


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 30)), min_size=1, max_size=24))
def test_a_ratio_never_warns_and_never_divides_by_zero(pairs):
    numerators, denominators = zip(*pairs, strict=True)
    found = interval.ratio(numerators, denominators)
    assert found.n == sum(denominators)
    if found.n and not math.isnan(found.low):
        assert found.low <= found.high


def test_whole_days_are_less_certain_than_their_visits_pretend():
    rng = np.random.default_rng(2)
    days = [rng.normal(centre, 1.0, 200) for centre in rng.normal(20.0, 5.0, 10)]
    by_day, by_visit = interval.clustered(days, np.mean), interval.mean(np.concatenate(days))
    assert by_day.value == pytest.approx(by_visit.value)
    assert by_day.high - by_day.low > 5 * (by_visit.high - by_visit.low)


def test_a_paired_difference_sees_what_the_pairs_share():
    shops = np.array([100.0, 200.0, 300.0, 400.0, 500.0, 600.0])
    lift = np.array([9.0, 10.0, 11.0, 12.0, 9.5, 10.5])
    found = interval.paired_difference(shops, shops + lift)
    assert found.value == pytest.approx(lift.mean())
    assert 9.0 < found.low < found.high < 12.0
    with pytest.raises(InputError, match="got 1 and 2"):
        interval.paired_difference([1, 2], [1])


def test_a_change_against_earlier_days_is_students_prediction_interval():
    # Mean 100, s = 10, k = 4: t(3) = 3.182446, so the half width is 3.182446 * 10 * sqrt(5 / 4) = 35.5808.
    found = interval.against_days(150.0, 100 + 10 * np.array([-1, -1, 1, 1]) * math.sqrt(3 / 4))
    assert found.value == pytest.approx(50.0)
    assert found.high - found.value == pytest.approx(35.5808, abs=1e-4)
    assert found.n == 4


def test_one_earlier_day_gives_a_change_without_bounds_and_none_gives_nothing():
    assert interval.against_days(12.0, [10.0]).value == 2.0
    assert math.isnan(interval.against_days(12.0, [10.0]).low)
    assert math.isnan(interval.against_days(12.0, []).value)
