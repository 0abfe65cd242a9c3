"""How many users an experiment needs, told before it starts."""

from dataclasses import dataclass
from math import ceil, inf
from statistics import NormalDist

from recsys.errors import ConfigError
from recsys.experiments.sequential import always_valid_half_width, mixture_variance


@dataclass(frozen=True)
class NeededSize:
    """Users of both arms together: `fixed` if looked at once, at the end; `always_valid` if looked at every day.

    `tightest_at`: the variance of the difference at the latter size, at which the interval should be tightest.
    """

    fixed: int
    always_valid: int
    tightest_at: float


def needed_size(
    unit_variance: float, *, effect: float, share: float, alpha: float = 0.05, power: float = 0.8
) -> NeededSize:
    """Users needed to find an absolute difference `effect` with probability `power`.

    `unit_variance`: n times the variance of the rate of one arm of n users (`ArmTotals.unit_variance`), taken to be
    the same in both. The variance of the difference is unit_variance (1 / share + 1 / (1 - share)) / n. Looked at
    once, it has to be (effect / (z_(1 - alpha/2) + z_power))^2; always valid, the half width of the interval and
    z_power standard errors have to be `effect` together. Raises ConfigError if `effect` is not above 0, or `share`
    not inside 0 to 1.
    """
    if not 0 < effect < inf:
        raise ConfigError(f"effect: got {effect:g}; expected a difference above 0")
    if not 0 < share < 1:
        raise ConfigError(f"share: got {share:g}; expected more than 0 and less than 1")
    z = NormalDist()
    spread = unit_variance * (1 / share + 1 / (1 - share))
    once = (effect / (z.inv_cdf(1 - alpha / 2) + z.inv_cdf(power))) ** 2
    daily = (effect / (_half_width_of_one(alpha) + z.inv_cdf(power))) ** 2
    return NeededSize(ceil(spread / once), ceil(spread / daily), daily)


def _half_width_of_one(alpha: float) -> float:
    """Half the always-valid interval, in standard errors, where it is tightest."""
    return always_valid_half_width(1.0, mixture=mixture_variance(1.0, alpha=alpha), alpha=alpha)
