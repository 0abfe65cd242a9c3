"""Measured: what a fit reaches at one moment, with the best popularity exponent and share of the neighbours."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace

from recsys.evaluation.metrics import Values
from recsys.evaluation.provenance import TradeoffPoint
from recsys.models.factors.config import FactorModelConfig
from recsys.models.factors.model import FactorModel
from recsys.tuning.tradeoff import tradeoff_points
from recsys.tuning.validation import ValidationSet

EXPONENTS = tuple(round(0.05 * step, 2) for step in range(-16, 13))
"""The popularity exponents that are tried, -0.8 to 0.6."""

SHARES = (0.0, 0.1, 0.2, 0.3, 0.45, 0.65, 1.0, 1.5, 2.5)
"""The shares of the neighbours that are tried, see `model.neighbours_share`."""

_COARSE = 3  # at first, every third of the exponents


@dataclass(frozen=True, eq=False)
class Measured:
    """What a fit reached after `iterations`, 1 if the model has none.

    `per_user`: float64 (n_users,), the metric of each validation user. `coverage`: of all their lists, at the cut-off
    of the metric. `coverage_weight`: what a fit is chosen by is the metric plus this times the coverage.
    `tradeoff`: accuracy and coverage under other popularity exponents; empty if it was not measured.
    """

    iterations: int
    popularity_exponent: float
    per_user: Values
    neighbours_share: float = 0.0
    coverage: float = 0.0
    coverage_weight: float = 0.0
    tradeoff: tuple[TradeoffPoint, ...] = ()

    @property
    def score(self) -> float:
        """The mean over the users."""
        return float(self.per_user.mean())

    @property
    def objective(self) -> float:
        """What fits are compared by."""
        return self.score + self.coverage_weight * self.coverage


@dataclass(frozen=True)
class Within:
    """What is tried within a fit: popularity `exponents` and `shares` of the neighbours, both ascending.

    `after`: the numbers of iterations to measure after, None for every one. `tradeoff`: measure accuracy and coverage
    under other exponents too, for the report.
    """

    exponents: tuple[float, ...] = EXPONENTS
    shares: tuple[float, ...] = SHARES
    after: Collection[int] | None = None
    tradeoff: bool = False

    def is_due(self, done: int, last: int) -> bool:
        """Whether to measure after `done` of up to `last` iterations."""
        return self.after is None or done in self.after or done == last


EVERYTHING = Within()
"""All of them."""


def best_of(found: Sequence[Measured]) -> Measured:
    """The best; of equal ones the first."""
    return max(found, key=lambda measured: measured.objective)


def best_within(
    data: ValidationSet,
    fitted: FactorModel,
    model: FactorModelConfig,
    done: int,
    *,
    within: Within,
    near: Measured | None,
) -> Measured:
    """The best exponent, then with it the best share; near those of the best measurement so far if there is one.

    The metric has one peak along the exponent: a coarse look first, then the neighbours of the best.
    """
    shares = within.shares if model.neighbours else (model.neighbours_share,)
    share = (
        (min(shares, key=lambda each: abs(each - model.neighbours_share)),)
        if near is None
        else (near.neighbours_share,)
    )
    coarse = within.exponents[::_COARSE] if near is None else (near.popularity_exponent,)
    best = _best(data, fitted, model, coarse, done, shares=share)
    if beside := _beside(within.exponents, best.popularity_exponent):
        best = best_of((best, _best(data, fitted, model, beside, done, shares=share)))
    if others := _beside(shares, share[0]) if near else tuple(each for each in shares if each != share[0]):
        best = best_of((best, _best(data, fitted, model, (best.popularity_exponent,), done, shares=others)))
    return best


def as_set(data: ValidationSet, fitted: FactorModel, model: FactorModelConfig, done: int) -> Measured:
    """What `fitted` reaches after `done` iterations with the settings of `model` as they are."""
    return _best(data, fitted, model, (model.popularity_exponent,), done, shares=(model.neighbours_share,))


def _beside(values: Sequence[float], value: float) -> tuple[float, ...]:
    """The values before and after `value`."""
    at = values.index(value)
    return tuple(values[side] for side in (at - 1, at + 1) if 0 <= side < len(values))


def _best(
    data: ValidationSet,
    fitted: FactorModel,
    model: FactorModelConfig,
    exponents: Sequence[float],
    done: int,
    *,
    shares: Sequence[float],
) -> Measured:
    """The best of `exponents` and `shares`."""
    vectors, weight = data.user_vectors(fitted), data.coverage_weight
    lists = data.quality(vectors, fitted, exponents, blend=data.blend(model), shares=shares)
    objective = lists.per_user.mean(axis=2) + weight * lists.coverage
    at = exponent, share = divmod(int(objective.argmax()), len(shares))
    per_user, coverage = lists.per_user[at].copy(), float(lists.coverage[at])
    found = Measured(done, exponents[exponent], per_user, shares[share])
    return replace(found, coverage=coverage, coverage_weight=weight)


def with_tradeoff(data: ValidationSet, fitted: FactorModel, model: FactorModelConfig, found: Measured) -> Measured:
    """`found`, with accuracy and coverage of `fitted` under other popularity exponents."""
    at = found.popularity_exponent, found.neighbours_share
    return replace(found, tradeoff=tradeoff_points(data, fitted, model, at=at))
