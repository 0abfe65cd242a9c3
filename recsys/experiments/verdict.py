"""Reading an experiment: every figure of one look, and a verdict in words."""

from dataclasses import dataclass
from math import ceil
from typing import Literal, TypeAlias

from recsys.experiments.difference import Bounds, Difference, difference, fixed_bounds
from recsys.experiments.sample_ratio import SUSPICIOUS, always_valid_sample_ratio, sample_ratio_p_value
from recsys.experiments.sequential import always_valid_bounds, mixture_variance
from recsys.experiments.totals import ArmTotals

Outcome: TypeAlias = Literal["broken_split", "too_early", "better", "worse", "no_difference_yet", "no_difference"]
"""What a look says of the treatment."""


@dataclass(frozen=True)
class Reading:
    """One look at one rate of an experiment.

    `fixed`, `always_valid`: the intervals of treatment minus control. `sample_ratio`: p-values of the split, looked
    at once and always valid. `outcome` is of the always-valid interval, so that it holds whenever one looks.
    """

    control: ArmTotals
    treatment: ArmTotals
    found: Difference
    fixed: Bounds
    always_valid: Bounds
    sample_ratio: tuple[float, float]
    outcome: Outcome

    @property
    def users(self) -> int:
        """Users of both arms."""
        return self.control.n + self.treatment.n


def read(
    control: ArmTotals, treatment: ArmTotals, *, share: float, tightest_at: float, needed: int, alpha: float = 0.05
) -> Reading:
    """One look. `share`: of users in treatment. `tightest_at` and `needed`: as planned (`NeededSize`)."""
    found = difference(control, treatment)
    mixture = mixture_variance(tightest_at, alpha=alpha)
    bounds = always_valid_bounds(found, mixture=mixture, alpha=alpha)
    ratio = (
        sample_ratio_p_value(control.n, treatment.n, share=share),
        always_valid_sample_ratio(control.n, treatment.n, share=share),
    )
    outcome = _outcome(found, bounds, ratio[1], is_full=control.n + treatment.n >= needed)
    return Reading(control, treatment, found, fixed_bounds(found, alpha=alpha), bounds, ratio, outcome)


def _outcome(found: Difference, bounds: Bounds, ratio: float, *, is_full: bool) -> Outcome:
    if ratio < SUSPICIOUS:
        return "broken_split"
    if not found.is_known:
        return "too_early"
    if bounds.excludes_zero:
        return "better" if found.value > 0 else "worse"
    return "no_difference" if is_full else "no_difference_yet"


def in_words(reading: Reading, *, needed: int, days: float, effect: float) -> str:
    """The verdict as one or two sentences. `effect`: the relative difference that the plan wants to find."""
    found, bounds = reading.found, reading.always_valid
    told = {
        "broken_split": (
            f"The split is broken (p = {reading.sample_ratio[1]:.2g}): the arms do not have the users that the share"
            " gives them. Find out why before reading anything else."
        ),
        "too_early": "Too early to say: there are too few users or clicks.",
        "better": f"Treatment is better: {found.relative:+.1%}, at least {bounds.low:+.4f}.",
        "worse": f"Treatment is worse: {found.relative:+.1%}, at most {bounds.high:+.4f}.",
        "no_difference_yet": _more(reading, needed=needed, days=days),
        "no_difference": (
            f"No difference was found with the users that were planned for one of {effect:.1%}; a smaller one would"
            " need more."
        ),
    }
    return told[reading.outcome]


def _more(reading: Reading, *, needed: int, days: float) -> str:
    missing = max(0, needed - reading.users)
    rate = reading.users / days if days > 0 else 0.0
    when = f", about {ceil(missing / rate)} days at today's rate" if rate else ""
    return f"No difference yet. {missing:,} of {needed:,} users are still missing{when}."
