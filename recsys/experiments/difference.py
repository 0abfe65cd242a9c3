"""The difference between two arms, with the interval of an experiment that is looked at once, at its end."""

from dataclasses import dataclass
from math import erfc, isnan, nan, sqrt
from statistics import NormalDist

from recsys.experiments.totals import ArmTotals

MIN_USERS = 100
"""Users per arm below which no interval is given: the normal approximation would not hold."""

MIN_POSITIVE = 20
"""Users with a click (or purchase) in both arms together below which no interval is given."""

_FEW = 10


@dataclass(frozen=True)
class Difference:
    """Treatment minus control: `value`, and its `variance`; both NaN if there is not enough of either arm.

    `control`, `treatment`: the rates.
    """

    control: float
    treatment: float
    value: float
    variance: float

    @property
    def is_known(self) -> bool:
        """Whether there is enough of both arms for an interval."""
        return not isnan(self.variance) and self.variance > 0

    @property
    def relative(self) -> float:
        """The difference over the control's rate; NaN if that is zero or unknown."""
        return self.value / self.control if self.control else nan


@dataclass(frozen=True)
class Bounds:
    """An interval for a difference, and its p-value; `low` and `high` are -inf and inf if nothing can be said."""

    low: float
    high: float
    p_value: float

    @property
    def excludes_zero(self) -> bool:
        """Whether the difference has a sign."""
        return self.low > 0 or self.high < 0


UNKNOWN = Bounds(float("-inf"), float("inf"), 1.0)


def difference(control: ArmTotals, treatment: ArmTotals) -> Difference:
    """The difference of the rates and its variance: that of each arm's rate, over independent users, added.

    If one arm has fewer than 10 users with a click, its own variance means little; both get that of all users
    together then.
    """
    value, pooled = treatment.rate - control.rate, control + treatment
    if min(control.n, treatment.n) < MIN_USERS or pooled.n_positive < MIN_POSITIVE:
        return Difference(control.rate, treatment.rate, value, nan)
    few = min(control.n_positive, treatment.n_positive) < _FEW
    arms = (pooled, pooled) if few else (control, treatment)
    variances = (arm.unit_variance() for arm in arms)
    variance = sum(each / n for each, n in zip(variances, (control.n, treatment.n), strict=True))
    return Difference(control.rate, treatment.rate, value, variance)


def fixed_bounds(found: Difference, *, alpha: float) -> Bounds:
    """value -+ z sqrt(variance): right with probability 1 - alpha if looked at once, at a size set before."""
    if not found.is_known:
        return UNKNOWN
    error = sqrt(found.variance)
    half = NormalDist().inv_cdf(1 - alpha / 2) * error
    return Bounds(found.value - half, found.value + half, erfc(abs(found.value) / error / sqrt(2)))
