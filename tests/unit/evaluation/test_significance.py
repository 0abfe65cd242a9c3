import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys.errors import DataError
from recsys.evaluation.significance import mean_interval, mean_intervals, mean_of, paired_difference


def _rng():
    return np.random.default_rng(7)


def _naive(values, samples, confidence):
    """Draw users one resample at a time and take the mean of what was drawn."""
    rng, n = _rng(), len(values)
    means = [np.nanmean(values[rng.integers(0, n, n, dtype=np.int32)]) for _ in range(samples)]
    return np.nanmean(values), *np.quantile(means, [(1 - confidence) / 2, (1 + confidence) / 2])


def test_intervals_are_those_of_resampling_one_by_one():
    values = np.random.default_rng(0).random((200, 3))
    values[:50, 1] = np.nan
    intervals = mean_intervals(values, samples=100, confidence=0.9, rng=_rng())
    for column, interval in enumerate(intervals):
        assert_allclose(interval, _naive(values[:, column], 100, 0.9), rtol=1e-12)


def test_the_interval_is_as_wide_as_theory_says():
    values = np.random.default_rng(0).normal(5, 2, 4000)
    mean, low, high = mean_interval(values, samples=2000, confidence=0.95, rng=_rng())
    half = 1.96 * values.std() / np.sqrt(len(values))
    assert low == pytest.approx(mean - half, abs=0.15 * half)
    assert high == pytest.approx(mean + half, abs=0.15 * half)


def test_blocks_change_nothing():
    values = np.random.default_rng(0).random((30, 2))
    whole = mean_intervals(values, samples=50, confidence=0.95, rng=_rng())
    blocks = mean_intervals(values, samples=50, confidence=0.95, rng=_rng(), draws_per_block=7 * 30)
    assert_allclose(blocks, whole, rtol=1e-12)


def test_pairing_sees_what_two_intervals_do_not():
    easy = np.random.default_rng(0).random(300)
    a, b = easy + 0.01, easy
    difference = paired_difference(a, b, samples=200, confidence=0.95, rng=_rng())
    assert difference.mean == pytest.approx(0.01)
    assert difference.low > 0
    alone_a = mean_interval(a, samples=200, confidence=0.95, rng=_rng())
    alone_b = mean_interval(b, samples=200, confidence=0.95, rng=_rng())
    assert alone_a.low < alone_b.high


def test_a_paired_difference_counts_users_who_have_both():
    a, b = np.array([1.0, np.nan, 3.0]), np.array([0.0, 0.0, np.nan])
    assert paired_difference(a, b, samples=0, confidence=0.95, rng=_rng()).mean == 1


def test_differences_of_different_users_are_refused():
    with pytest.raises(DataError, match="expected the same users"):
        paired_difference(np.ones(3), np.ones(4), samples=10, confidence=0.95, rng=_rng())


def test_without_resamples_there_is_no_interval():
    assert mean_interval(np.array([1.0, 2.0]), samples=0, confidence=0.95, rng=_rng()) == (1.5, None, None)


def test_a_column_that_nobody_has_is_nan():
    intervals = mean_intervals(np.full((4, 1), np.nan), samples=10, confidence=0.95, rng=_rng())
    assert np.isnan(intervals[0]).all()
    assert np.isnan(mean_of(np.array([np.nan])))


def test_no_users_is_an_error():
    with pytest.raises(DataError, match="no users"):
        mean_interval(np.empty(0), samples=10, confidence=0.95, rng=_rng())


def test_resamples_without_anybody_who_has_the_metric_are_left_out():
    mean, low, high = mean_interval(np.array([2.0, 2.0, np.nan, np.nan]), samples=50, confidence=0.95, rng=_rng())
    assert (mean, low, high) == (2, 2, 2)


@pytest.mark.parametrize("values", [[2.0], [2.0, np.nan, np.nan]])
def test_one_user_has_no_interval(values):
    assert mean_interval(np.array(values), samples=50, confidence=0.95, rng=_rng()) == (2, None, None)
