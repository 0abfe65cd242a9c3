"""Work: what a fit and its measurements cost, counted from their sizes and never by the clock.

So the same log gives the same search, however busy the machine is. The unit is about a nanosecond of two processor
cores, near enough to compare fits with each other.
"""

from dataclasses import dataclass

from recsys.models.factors.als import AlsConfig
from recsys.models.factors.config import FactorModelConfig, IterativeConfig
from recsys.models.neighbours.learning_users import MOST_STEPS
from recsys.tuning.validation import ValidationSet

_PER_ENTRY = 4.0  # per factor and iteration: each entry is read once for its user and once for its item
_PER_ROW = 0.17  # per factor squared and iteration: the dense part of the solve of one user or item
_PER_STEP = 4.0  # of the regression on neighbours, see `learning_users`
_PER_NEIGHBOUR = 0.05  # per item and neighbour cubed: the solve of its regression
_PER_PRODUCT = 0.03  # per factor and score
_PER_SCORE = 30.0  # to find the best of them, and to compare these with the holdout
_PER_EVENT = 150.0  # to split a log, weigh its events and make a matrix of them
_PER_MEASUREMENT = 5e7  # what does not grow with the scores


def fit_work(shape: tuple[int, int], entries: int, model: FactorModelConfig, *, iterations: int) -> float:
    """Nanoseconds of a fit of a matrix of `shape`. The start counts as one iteration."""
    factors = model.factors
    solves = _PER_ROW * sum(shape) * factors**2 if isinstance(model, AlsConfig) else 0.0
    return (1 + iterations) * (_PER_ENTRY * entries * factors + solves)


def night_work(shape: tuple[int, int], entries: int, model: FactorModelConfig, *, steps: float) -> float:
    """Nanoseconds of what a night fits: the model twice, its neighbours, and the choice of its settings.

    `steps`: see `neighbours_work`.
    """
    iterations = model.iterations if isinstance(model, IterativeConfig) else 1
    fits = 2 * (
        fit_work(shape, entries, model, iterations=iterations) + neighbours_work(shape[1], model, steps=steps)
    )
    return fits * (1 + (model.auto_share if model.auto else 0))


def work_on(data: ValidationSet, model: FactorModelConfig, *, iterations: int, measurements: int) -> float:
    """Nanoseconds of a fit on the train side of `data`, and of ranking all items for its users so many times."""
    train = data.train.csr
    scores = len(data.user) * train.shape[1]
    measured = measurements * (_PER_MEASUREMENT + scores * (_PER_SCORE + _PER_PRODUCT * model.factors))
    return fit_work(train.shape, train.nnz, model, iterations=iterations) + measured


def weighing_work(n_events: int) -> float:
    """Nanoseconds of making another matrix of the events of a log."""
    return _PER_EVENT * n_events


def neighbours_work(n_items: int, model: FactorModelConfig, *, steps: float) -> float:
    """Nanoseconds of learning the neighbours of all items: of their Gram matrices, and of the solves.

    `steps`: `steps_of` the matrix; with more than MOST_STEPS a sample of its users is learned from.
    """
    if not model.neighbours:
        return 0.0
    return _PER_STEP * min(steps, MOST_STEPS) + _PER_NEIGHBOUR * n_items * float(min(model.neighbours, n_items)) ** 3


@dataclass
class WorkBudget:
    """How much work a search may do, and has done. `used` passes `limit` by one measurement at most."""

    limit: float
    used: float = 0.0

    def allows(self, work: float, share: float = 1.0) -> bool:
        """Whether so much more stays below `share` of the limit."""
        return self.used + work <= share * self.limit
