"""Totals, rates and intervals against simple references."""

import numpy as np
import pytest
from scipy import stats

from recsys.errors import DataError
from recsys.experiments.difference import MIN_USERS, difference, fixed_bounds
from recsys.experiments.sequential import always_valid_bounds, always_valid_half_width, mixture_variance
from recsys.experiments.simulation import Readers, daily_totals
from recsys.experiments.size import needed_size
from recsys.experiments.totals import ArmTotals


def _arm(seed: int, *, n: int = 3_000, rate: float = 0.1) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    lists = 1 + rng.poisson(2, n)
    return rng.binomial(lists, rng.beta(rate * 5, (1 - rate) * 5, n)).astype(float), lists.astype(float)


def test_means_of_users_get_the_interval_of_the_t_test_of_unequal_variances() -> None:
    rng = np.random.default_rng(1)
    a, b = rng.gamma(2, 1, 800), rng.gamma(3, 1, 500)
    found = difference(*(ArmTotals.of(each, np.ones(len(each))) for each in (a, b)))
    reference = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    bounds = fixed_bounds(found, alpha=0.05)
    assert (bounds.low, bounds.high) == pytest.approx((reference.low, reference.high), abs=1e-3)


def test_the_variance_of_a_rate_is_that_of_resampled_users() -> None:
    clicks, lists = _arm(2)
    rng = np.random.default_rng(3)
    draws = rng.integers(0, len(clicks), (2_000, len(clicks)))
    resampled = clicks[draws].sum(axis=1) / lists[draws].sum(axis=1)
    told = ArmTotals.of(clicks, lists).unit_variance() / len(clicks)
    assert told == pytest.approx(resampled.var(), rel=0.12)
    binomial = resampled.mean() * (1 - resampled.mean()) / lists.sum()
    assert told > 1.2 * binomial  # what treating lists as independent would miss


def test_totals_of_two_groups_add_up_to_those_of_all() -> None:
    clicks, lists = _arm(4)
    halves = ArmTotals.of(clicks[:1000], lists[:1000]) + ArmTotals.of(clicks[1000:], lists[1000:])
    whole = ArmTotals.of(clicks, lists)
    assert vars(halves) == pytest.approx(vars(whole))
    assert halves.unit_variance() == pytest.approx(whole.unit_variance())


def test_shapes_that_differ_are_refused() -> None:
    with pytest.raises(DataError, match="expected the same users"):
        ArmTotals.of(np.ones(3), np.ones(2))


@pytest.mark.parametrize(
    ("control", "treatment"),
    [
        (ArmTotals(), ArmTotals()),
        (ArmTotals.of(*_arm(5, n=MIN_USERS - 1)), ArmTotals.of(*_arm(6))),
        (ArmTotals.of(np.zeros(500), np.ones(500)), ArmTotals.of(np.zeros(500), np.ones(500))),
    ],
)
def test_too_little_gives_no_interval_and_no_verdict(control: ArmTotals, treatment: ArmTotals) -> None:
    found = difference(control, treatment)
    assert not found.is_known
    for bounds in (fixed_bounds(found, alpha=0.05), always_valid_bounds(found, mixture=1e-4, alpha=0.05)):
        assert (bounds.low, bounds.high, bounds.p_value) == (-np.inf, np.inf, 1.0)
        assert not bounds.excludes_zero


def test_an_arm_without_any_click_still_has_a_variance() -> None:
    found = difference(ArmTotals.of(*_arm(7)), ArmTotals.of(np.zeros(3_000), np.ones(3_000)))
    assert found.is_known
    assert fixed_bounds(found, alpha=0.05).high < 0


def test_the_always_valid_interval_is_where_the_likelihood_ratio_is_one_over_alpha() -> None:
    v, mixture, alpha = 2e-4, 9e-4, 0.05
    half = always_valid_half_width(v, mixture=mixture, alpha=alpha)
    marginal = sum(
        weight * stats.norm.pdf(half, scale=np.sqrt(v + factor * mixture))
        for weight, factor in ((0.5, 1), (0.125, 10), (0.125, 100), (0.125, 1_000), (0.125, 10_000))
    )
    assert marginal / stats.norm.pdf(half, scale=np.sqrt(v)) == pytest.approx(1 / alpha)


def test_the_mixture_makes_the_interval_tightest_where_it_is_wanted() -> None:
    best = mixture_variance(1e-4, alpha=0.05)
    half = always_valid_half_width(1e-4, mixture=best, alpha=0.05)
    assert all(half < always_valid_half_width(1e-4, mixture=best * it, alpha=0.05) for it in (0.2, 5))
    assert 1.2 < half / (1.96 * 0.01) < 1.8  # the price of looking always


def test_a_difference_much_larger_than_planned_is_found_long_before_the_planned_size() -> None:
    planned, now = 1e-6, 1e-3  # a thousandth of the users that were planned
    half = always_valid_half_width(now, mixture=mixture_variance(planned, alpha=0.05), alpha=0.05)
    assert half < 2.2 * 1.96 * np.sqrt(now)


def test_p_value_and_interval_agree() -> None:
    arms = [ArmTotals.of(*_arm(seed, rate=rate)) for seed, rate in ((8, 0.08), (9, 0.12))]
    found = difference(*arms)
    mixture = mixture_variance(found.variance, alpha=0.01)
    bounds = always_valid_bounds(found, mixture=mixture, alpha=0.01)
    assert bounds.excludes_zero
    assert bounds.p_value < 0.01
    assert bounds.p_value > fixed_bounds(found, alpha=0.01).p_value


@pytest.mark.parametrize("share", [0.5, 0.2])
def test_the_needed_size_finds_the_effect_as_often_as_it_says(share: float) -> None:
    rate, effect = 0.2, 0.04
    size = needed_size(rate * (1 - rate), effect=effect, share=share)
    assert size.fixed < size.always_valid < 4 * size.fixed
    rng, found = np.random.default_rng(10), {"fixed": 0, "always_valid": 0}
    for _ in range(400):
        for name, n in (("fixed", size.fixed), ("always_valid", size.always_valid)):
            counts = round(n * (1 - share)), round(n * share)
            arms = [_coins(rng, k, p) for k, p in zip(counts, (rate, rate + effect), strict=True)]
            difference_found = difference(*arms)
            mixture = mixture_variance(size.tightest_at, alpha=0.05)
            bounds = {
                "fixed": fixed_bounds(difference_found, alpha=0.05),
                "always_valid": always_valid_bounds(difference_found, mixture=mixture, alpha=0.05),
            }
            found[name] += bounds[name].excludes_zero
    assert all(0.7 < count / 400 < 0.9 for count in found.values())  # five standard errors around 0.8


def _coins(rng: np.random.Generator, n: int, p: float) -> ArmTotals:
    heads = float(rng.binomial(n, p))
    return ArmTotals(n, int(heads), heads, n, heads, n, heads)


def test_experiments_without_a_difference_seldom_find_one_however_often_one_looks() -> None:
    """A short version of benchmarks/experiments.py: 60 experiments, 14 looks each; 5 % are allowed."""
    readers, alarms, looks_once = Readers(users=1_500, days=14), 0, 0
    for seed in range(60):
        salt = f"a/a {seed}"
        days = [
            difference(*day)
            for day in daily_totals(readers, rate="click_through", salt=salt, rng=np.random.default_rng(seed))
        ]
        mixture = mixture_variance(2e-5, alpha=0.05)
        alarms += any(always_valid_bounds(it, mixture=mixture, alpha=0.05).excludes_zero for it in days)
        looks_once += any(fixed_bounds(it, alpha=0.05).excludes_zero for it in days)
    assert alarms <= 3
    assert looks_once > alarms  # what looking every day does to the usual interval


def test_a_planted_difference_is_found() -> None:
    readers = Readers(users=3_000, days=20, effect=0.5)
    (*_, last) = daily_totals(readers, rate="click_through", salt="planted", rng=np.random.default_rng(0))
    found = difference(*last)
    bounds = always_valid_bounds(found, mixture=mixture_variance(1e-5, alpha=0.05), alpha=0.05)
    assert bounds.low > 0
    assert found.relative == pytest.approx(0.5, abs=0.25)
