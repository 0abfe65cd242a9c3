"""The sample-ratio check: are the arms as large as the split says? If not, something treats them differently."""

from math import exp, log

from scipy.special import betaln, chdtrc

SUSPICIOUS = 0.01
"""An always-valid p-value below this says that the split is broken: nothing else of the experiment counts then."""

_CONCENTRATION = 1_000.0


def sample_ratio_p_value(n_control: int, n_treatment: int, *, share: float) -> float:
    """The chi-squared test, looked at once, of the users of both arms against treatment's `share`; 1 without users.

    Fabijan et al., "Diagnosing Sample Ratio Mismatch in Online Controlled Experiments", KDD 2019.
    """
    n = n_control + n_treatment
    if n == 0:
        return 1.0
    statistic = (n_treatment - n * share) ** 2 / (n * share * (1 - share))
    return float(chdtrc(1, statistic))


def always_valid_sample_ratio(n_control: int, n_treatment: int, *, share: float) -> float:
    """A p-value of the same question that may be looked at every day.

    1 over the ratio of a beta-binomial mixture, centred at `share`, to the binomial: Lindon and Malek, "Anytime-Valid
    Inference For Multinomial Count Data", NeurIPS 2022.
    """
    a, b = _CONCENTRATION * share, _CONCENTRATION * (1 - share)
    mixture = betaln(a + n_treatment, b + n_control) - betaln(a, b)
    binomial = n_treatment * log(share) + n_control * log(1 - share)
    return exp(-max(0.0, float(mixture) - binomial))
