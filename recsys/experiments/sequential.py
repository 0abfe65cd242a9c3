"""Always-valid intervals: a confidence sequence, so that an experiment may be looked at as often as one likes.

The normal mixture (Robbins 1970; Johari, Koomen, Pekelis and Walsh, "Always Valid Inference", Operations Research
2022; Howard, Ramdas, McAuliffe and Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences", Annals
of Statistics 2021) with an estimated variance (Waudby-Smith, Arbour, Sinha, Kennedy and Ramdas, "Time-uniform central
limit theory and asymptotic confidence sequences", Annals of Statistics 2024): valid asymptotically, as intervals of
fixed size are.

Let d be the difference, v its variance, and t^2 the variance of a normal mixture, fixed before the start. The
likelihood ratio against "the difference is x", sqrt(v / (v + t^2)) exp(t^2 (d - x)^2 / (2 v (v + t^2))), is a
martingale, and so is the mean of several: of the planned t^2 (half of the weight), and of 10, 100, 1,000 and 10,000
times as much (an eighth each), so that differences much larger than planned are found early. It exceeds 1 / alpha at
any time with probability at most alpha. The interval holds every x for which it is below that.

The martingale needs increments that do not depend on what came before. What one user does on two days is positively
correlated, though, and v is the variance over users, so it counts this. By Slepian's inequality (1962) values that
are more correlated than those of a Brownian motion of the same variances cross a boundary less often: the interval
errs on the safe side. `benchmarks/experiments.py` measures it.
"""

from math import exp, log, sqrt

from scipy.optimize import brentq
from scipy.special import lambertw

from recsys.experiments.difference import UNKNOWN, Bounds, Difference

_WEIGHTS = ((0.5, 1.0), (0.125, 1e1), (0.125, 1e2), (0.125, 1e3), (0.125, 1e4))


def mixture_variance(tightest_at: float, *, alpha: float) -> float:
    """The planned t^2, which makes its own interval shortest when the variance of the difference is `tightest_at`.

    t^2 / v = -W(-alpha^2 / e) - 1 on the lower branch of Lambert's W (Howard et al. 2021, proposition 3).
    """
    ratio = -float(lambertw(-(alpha**2) * exp(-1), k=-1).real) - 1
    return ratio * tightest_at


def log_likelihood_ratio(deviation: float, variance: float, *, mixture: float) -> float:
    """Log of the mean likelihood ratio, `deviation` being d - x; `mixture`: the planned t^2."""
    logs = [log(weight) + _log_ratio(deviation, variance, factor * mixture) for weight, factor in _WEIGHTS]
    largest = max(logs)
    return largest + log(sum(exp(each - largest) for each in logs))


def always_valid_half_width(variance: float, *, mixture: float, alpha: float) -> float:
    """Half the length of the interval of a difference of this `variance`; `mixture`: the planned t^2."""
    longest = min(_half_width(variance, factor * mixture, alpha * weight) for weight, factor in _WEIGHTS)

    def missing(deviation: float) -> float:
        return log_likelihood_ratio(deviation, variance, mixture=mixture) + log(alpha)

    return float(brentq(missing, 0.0, longest * (1 + 1e-9), rtol=1e-12))


def always_valid_bounds(found: Difference, *, mixture: float, alpha: float) -> Bounds:
    """The interval that holds the difference at all looks together with probability 1 - alpha.

    `mixture`: the planned t^2, fixed before the start. The p-value is that of this look, 1 over the likelihood ratio;
    the least one of all looks is always valid too.
    """
    if not found.is_known:
        return UNKNOWN
    half = always_valid_half_width(found.variance, mixture=mixture, alpha=alpha)
    log_ratio = log_likelihood_ratio(found.value, found.variance, mixture=mixture)
    return Bounds(found.value - half, found.value + half, exp(-max(0.0, log_ratio)))


def _log_ratio(deviation: float, variance: float, mixture: float) -> float:
    total = variance + mixture
    return 0.5 * log(variance / total) + mixture * deviation**2 / (2 * variance * total)


def _half_width(variance: float, mixture: float, alpha: float) -> float:
    """Of one normal mixture alone."""
    total = variance + mixture
    return sqrt(2 * variance * total / mixture * log(sqrt(total / variance) / alpha))
