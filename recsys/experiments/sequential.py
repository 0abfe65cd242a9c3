"""Always-valid intervals: a confidence sequence, so that an experiment may be looked at as often as one likes.

The normal mixture (Robbins 1970; Johari, Koomen, Pekelis and Walsh, "Always Valid Inference", Operations Research
2022; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals
of Statistics 2021) with an estimated variance (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central
limit theory and asymptotic confidence sequences", Annals of Statistics 2024): valid asymptotically, as intervals of
fixed size are.

Let d be the difference, v its variance, and t^2 the variance of the mixture, fixed before the start. The likelihood
ratio against "the difference is x" is sqrt(v / (v + t^2)) exp(t^2 (d - x)^2 / (2 v (v + t^2))), a martingale that
exceeds 1 / alpha at any time with probability at most alpha. So the interval is

    d -+ sqrt(2 v (v + t^2) / t^2 * log(sqrt((v + t^2) / v) / alpha)).

The martingale needs increments that do not depend on what came before. What one user does on two days is positively
correlated, though, and v is the variance over users, so it counts this. By Slepian's inequality (1962) values that
are more correlated than those of a Brownian motion of the same variances cross a boundary less often: the interval
errs on the safe side. `benchmarks/experiments.py` measures it.
"""

from math import exp, log, sqrt

from scipy.special import lambertw

from recsys.experiments.difference import UNKNOWN, Bounds, Difference


def mixture_variance(tightest_at: float, *, alpha: float) -> float:
    """t^2 that makes the interval as short as it can be when the difference's variance is `tightest_at`.

    t^2 / v = -W(-alpha^2 / e) - 1 on the lower branch of Lambert's W (Howard et al. 2021, proposition 3).
    """
    ratio = -float(lambertw(-(alpha**2) * exp(-1), k=-1).real) - 1
    return ratio * tightest_at


def always_valid_half_width(variance: float, *, mixture: float, alpha: float) -> float:
    """Half the length of the interval of a difference of this `variance`; `mixture`: t^2."""
    total = variance + mixture
    return sqrt(2 * variance * total / mixture * log(sqrt(total / variance) / alpha))


def always_valid_bounds(found: Difference, *, mixture: float, alpha: float) -> Bounds:
    """The interval that holds the difference at all looks together with probability 1 - alpha.

    `mixture`: t^2, fixed before the start. The p-value is that of this look, 1 over the likelihood ratio; the least
    one of all looks is always valid too.
    """
    if not found.is_known:
        return UNKNOWN
    v, total = found.variance, found.variance + mixture
    half = always_valid_half_width(v, mixture=mixture, alpha=alpha)
    log_ratio = 0.5 * log(v / total) + mixture * found.value**2 / (2 * v * total)
    return Bounds(found.value - half, found.value + half, exp(-max(0.0, log_ratio)))
