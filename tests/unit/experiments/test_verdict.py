"""Sample ratio, guardrails and the verdict."""

import numpy as np
import pytest
from scipy import stats

from recsys.errors import ConfigError
from recsys.experiments.difference import Difference, difference
from recsys.experiments.guardrails import Guards, Shares, breach_of_click_through, breach_of_shares
from recsys.experiments.sample_ratio import SUSPICIOUS, always_valid_sample_ratio, sample_ratio_p_value
from recsys.experiments.sequential import always_valid_bounds
from recsys.experiments.size import needed_size
from recsys.experiments.totals import ArmTotals
from recsys.experiments.verdict import in_words, read

CONTROL = Shares(lists=10_000, errors=20, slow=50, empty=100)


def test_the_sample_ratio_check_is_the_chi_squared_test() -> None:
    told = sample_ratio_p_value(5_000, 4_700, share=0.5)
    assert told == pytest.approx(stats.chisquare([5_000, 4_700]).pvalue)
    assert sample_ratio_p_value(0, 0, share=0.5) == 1


def test_a_sound_split_looked_at_every_hundred_users_is_seldom_suspected() -> None:
    rng, suspected = np.random.default_rng(0), 0
    for _ in range(300):
        treated = (rng.random(20_000) < 0.3).reshape(-1, 100).sum(axis=1).cumsum()
        looks = [(100 * (at + 1) - int(n), int(n)) for at, n in enumerate(treated)]
        suspected += any(always_valid_sample_ratio(*look, share=0.3) < SUSPICIOUS for look in looks)
    assert suspected <= 10  # 3 are expected at most


def test_a_broken_split_is_suspected_and_nothing_else_is_read() -> None:
    assert always_valid_sample_ratio(5_500, 4_500, share=0.5) < SUSPICIOUS
    reading = read(_arm(5_500, 0.1), _arm(4_500, 0.2), share=0.5, tightest_at=1e-4, needed=100)
    assert reading.outcome == "broken_split"
    assert "split is broken" in in_words(reading, needed=100, days=3, effect=0.05)


@pytest.mark.parametrize(
    ("treatment", "guard"),
    [
        (Shares(lists=199, errors=199), None),  # too few to judge
        (Shares(lists=1_000, errors=2, slow=5, empty=10), None),
        (Shares(lists=1_000, errors=15), None),  # 1.3 points above control could be chance
        (Shares(lists=1_000, errors=60), "errors"),
        (Shares(lists=1_000, slow=80), "slow"),
        (Shares(lists=1_000, empty=120), "empty"),
        (Shares(lists=1_000, errors=1_000, slow=1_000, empty=1_000), "errors"),
    ],
)
def test_what_breaks_a_guardrail_of_lists(treatment: Shares, guard: str | None) -> None:
    breach = breach_of_shares(CONTROL, treatment, Guards())
    assert (breach and breach.guard) == guard
    if breach:
        assert "of 1,000 lists" in breach.message


def test_what_control_has_too_breaks_nothing() -> None:
    slow = Shares(lists=10_000, errors=3_000, slow=9_000, empty=5_000)
    assert breach_of_shares(slow, Shares(lists=1_000, errors=300, slow=900, empty=500), Guards()) is None
    assert breach_of_shares(Shares(), Shares(lists=500, errors=250), Guards()) is not None  # no control to excuse it


def test_click_through_ends_an_arm_only_if_it_is_far_below_beyond_doubt() -> None:
    def breach(treatment: float) -> object:
        found = Difference(0.1, treatment, treatment - 0.1, 1e-6)
        return breach_of_click_through(found, always_valid_bounds(found, mixture=1e-5, alpha=0.05), Guards())

    assert breach(0.095) is None  # worse, but by less than a fifth
    assert breach(0.079) is None  # a fifth lies within the interval
    assert "click-through is 5.00% against 10.00%" in str(breach(0.05))
    nothing = difference(ArmTotals(), ArmTotals())
    assert breach_of_click_through(nothing, always_valid_bounds(nothing, mixture=1, alpha=0.05), Guards()) is None


def _arm(n: int, rate: float) -> ArmTotals:
    heads = round(n * rate)
    return ArmTotals(n, heads, heads, n, heads, n, heads)


@pytest.mark.parametrize(
    ("n", "rates", "outcome", "words"),
    [
        (50, (0.1, 0.1), "too_early", "Too early"),
        (2_000, (0.1, 0.2), "better", "Treatment is better: +100.0%"),
        (2_000, (0.2, 0.1), "worse", "Treatment is worse: -50.0%"),
        (2_000, (0.1, 0.101), "no_difference_yet", "6,000 of 10,000 users are still missing, about 9 days"),
        (5_000, (0.1, 0.101), "no_difference", "No difference was found with the users that were planned"),
    ],
)
def test_every_verdict(n: int, rates: tuple[float, float], outcome: str, words: str) -> None:
    reading = read(_arm(n, rates[0]), _arm(n, rates[1]), share=0.5, tightest_at=1e-4, needed=10_000)
    assert reading.outcome == outcome
    assert words in in_words(reading, needed=10_000, days=6, effect=0.05)


@pytest.mark.parametrize(("effect", "share"), [(0, 0.5), (-0.1, 0.5), (float("nan"), 0.5), (0.1, 0), (0.1, 1)])
def test_a_size_is_refused_for_no_effect_and_no_split(effect: float, share: float) -> None:
    with pytest.raises(ConfigError, match="expected"):
        needed_size(0.1, effect=effect, share=share)
