"""Trade-off between accuracy and coverage: lists of one fit under several popularity exponents."""

from recsys.evaluation.provenance import TradeoffPoint
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.model import FactorModel
from recsys.tuning.validation import ValidationSet

TRADEOFF_EXPONENTS = (-0.4, -0.2, 0.0, 0.2, 0.4, 0.6)
"""Those that are reported, beside the exponent of the night."""

TRADEOFF_USERS = 1_000
"""Validation users that the lists are made for, at most."""


def tradeoff_points(
    data: ValidationSet, fitted: FactorModel, model: FactorModelConfig, *, at: tuple[float, float]
) -> tuple[TradeoffPoint, ...]:
    """One point per exponent of TRADEOFF_EXPONENTS and that of the model, ascending, on one product of the vectors.

    `at`: the model's exponent and its share of the neighbours.
    """
    some, exponents, shares = data.some(TRADEOFF_USERS), sorted({*TRADEOFF_EXPONENTS, at[0]}), at[1:]
    lists = some.quality(some.user_vectors(fitted), fitted, exponents, blend=some.blend(model), shares=shares)
    scores, coverage, bias = lists.per_user.mean(axis=-1), lists.coverage, lists.popularity_bias
    return tuple(
        TradeoffPoint.of(each, float(scores[row, 0]), float(coverage[row, 0]), float(bias[row, 0]))
        for row, each in enumerate(exponents)
    )
