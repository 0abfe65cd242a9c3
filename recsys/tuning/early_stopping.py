"""Fits that are measured after every iteration: one fit tries every number of iterations and popularity exponent."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass

import numpy as np

from recsys.config import ModelConfig
from recsys.data.arrays import Floats
from recsys.data.confidence import fit_confidence
from recsys.data.interactions import Interactions
from recsys.errors import DataError, ModelError
from recsys.evaluation.metrics import Values
from recsys.models.factors.als import fit_als
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.training import TrainedModel
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.tuning.validation import Validation, ValidationSet

logger = logging.getLogger(__name__)

EXPONENTS = tuple(round(0.05 * step, 2) for step in range(-10, 13))
"""The popularity exponents that are tried, -0.5 to 0.6."""

_COARSE = 3  # at first, every third of them
_PATIENCE = 2  # iterations without a better score
_STOPPING_USERS = 5_000  # validation users, at most


@dataclass(frozen=True, eq=False)
class Measured:
    """What a fit reached. `per_user`: float64 (n_users,), the metric of each validation user."""

    iterations: int
    popularity_exponent: float
    per_user: Values

    @property
    def score(self) -> float:
        """The mean over the users."""
        return float(self.per_user.mean())


class _Ended(Exception):  # noqa: N818 - no error: it ends a fit from within
    """Ends a fit from within."""


def measure(data: ValidationSet, model: ModelConfig, *, keep_on: Callable[[], bool]) -> Measured | None:
    """What `model` reaches exactly as it is; None if `keep_on`, asked after each iteration, ended the fit.

    Raises ModelError if the fit fails.
    """
    found: list[Measured] = []

    def look(done: int, fitted: TrainedModel) -> None:
        if done == model.iterations:
            found.append(_best(data, data.user_vectors(fitted), fitted, (model.popularity_exponent,), done))
        elif not keep_on():
            raise _Ended

    _fit(data, model, look)
    return found[0] if found else None


def follow(data: ValidationSet, model: ModelConfig, *, progress: Progress = silent) -> tuple[Measured, ...]:
    """What `model` reaches after each iteration, up to its own number or until two in a row were no better.

    Raises ModelError if the fit fails.
    """
    found: list[Measured] = []

    def look(done: int, fitted: TrainedModel) -> None:
        found.append(_best(data, data.user_vectors(fitted), fitted, (model.popularity_exponent,), done))
        if done - best_of(found).iterations >= _PATIENCE:
            raise _Ended

    _fit(data, model, look, progress=progress)
    return tuple(found)


def best_of(found: Sequence[Measured]) -> Measured:
    """The best; of equal ones the first."""
    return max(found, key=lambda measured: measured.score)


def explore(data: ValidationSet, model: ModelConfig, *, keep_on: Callable[[int, float], bool]) -> Measured:
    """The best number of iterations, up to that of `model`, and popularity exponent for its other settings.

    `keep_on` is called after each iteration with its number and score. The fit also ends if two iterations in a row
    were no better. Raises ModelError if the fit fails.
    """
    found: list[Measured] = []

    def look(done: int, fitted: TrainedModel) -> None:
        near = best_of(found).popularity_exponent if found else None
        found.append(_best_exponent(data, fitted, done, near=near))
        if not keep_on(done, found[-1].score) or done - best_of(found).iterations >= _PATIENCE:
            raise _Ended

    _fit(data, model, look)
    return best_of(found)


def _fit(
    data: ValidationSet, model: ModelConfig, look: Callable[[int, TrainedModel], None], *, progress: Progress = silent
) -> None:
    """Fit on the training matrix; `look` sees the model after each iteration and may raise `_Ended`."""
    weighting = fit_confidence(data.train.csr, model)
    start = None
    if model.start == "spectral":
        start = data.spectral_start(model.factors, seed=model.seed, progress=progress)
    scale = np.ones(data.train.n_items, np.float32)

    def watch(done: int, users: Floats, items: Floats) -> None:
        if not (np.isfinite(users).all() and np.isfinite(items).all()):
            raise ModelError(f"als: the vectors are not finite after {done} iterations")
        look(done, TrainedModel(Embeddings(users, items, scale), weighting, model.regularization))

    with suppress(_Ended):
        fit_als(weighting.apply(data.train.csr), model, start=start, watch=watch, progress=progress)


def _best_exponent(data: ValidationSet, fitted: TrainedModel, done: int, *, near: float | None) -> Measured:
    """A coarse look first, then the neighbours of the best so far: the metric has one peak along the exponent."""
    vectors = data.user_vectors(fitted)
    coarse = EXPONENTS[::_COARSE] if near is None else (near,)
    best = _best(data, vectors, fitted, coarse, done)
    at = EXPONENTS.index(best.popularity_exponent)
    beside = [EXPONENTS[side] for side in (at - 1, at + 1) if 0 <= side < len(EXPONENTS)]
    return best_of((best, _best(data, vectors, fitted, beside, done)))


def _best(
    data: ValidationSet, vectors: Floats, fitted: TrainedModel, exponents: Sequence[float], done: int
) -> Measured:
    values = data.scores(vectors, fitted, exponents)
    at = int(values.mean(axis=1).argmax())
    return Measured(done, exponents[at], values[at].copy())


@dataclass(frozen=True)
class Stopping:
    """How many iterations to train. `curve`: the validation `metric` of `n_users` after each iteration looked at.

    If the train side is too small to be split once more, `curve` is empty, `reason` says so, and `iterations` is the
    number of the configuration.
    """

    iterations: int
    metric: str
    curve: tuple[float, ...] = ()
    n_users: int = 0
    reason: str | None = None

    def applied(self, model: ModelConfig) -> ModelConfig:
        """`model` with this many iterations."""
        return model.model_copy(update={"iterations": self.iterations})


def stop_on_validation(events: Interactions, config: PipelineConfig, *, progress: Progress = silent) -> Stopping:
    """Find after which iteration a fit on the train side, less a validation part, ranks that part best.

    `events`: the whole log; its holdout is cut off first and not looked at. Raises ModelError if the fit fails.
    """
    metric, model = config.publish.metric, config.model
    try:
        data = Validation(events, config, n_users=_STOPPING_USERS).under(config)
    except DataError as error:
        logger.warning("no early stopping: the train side cannot be split once more: %s", error)
        return Stopping(model.iterations, metric, reason=str(error))
    found = follow(data, model, progress=progress)
    best = best_of(found)
    logger.info("early stopping: users=%d iterations=%d %s=%.4f", data.n_users, best.iterations, metric, best.score)
    return Stopping(best.iterations, metric, tuple(each.score for each in found), data.n_users)
