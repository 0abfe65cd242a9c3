"""Fits that are measured after every iteration: one fit tries every number of iterations and popularity exponent."""

import logging
from collections.abc import Callable, Sequence
from contextlib import suppress

from recsys.data.interactions import Interactions
from recsys.errors import DataError
from recsys.evaluation.provenance import Stopping, Tradeoff
from recsys.models.factors.config import FactorModelConfig, IterativeConfig
from recsys.models.factors.model import FactorModel, OnIteration
from recsys.models.registry import fit_model
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.tuning.measured import EVERYTHING, Measured, Within, as_set, best_of, best_within, with_tradeoff
from recsys.tuning.tradeoff import TRADEOFF_USERS
from recsys.tuning.validation import Validation, ValidationSet

logger = logging.getLogger(__name__)

_PATIENCE = 2  # measurements in a row without a better score
_STOPPING_USERS = 5_000  # validation users, at most


class _Ended(Exception):  # noqa: N818 - not an error: it ends a fit from within
    """Ends a fit from within."""


def measure(data: ValidationSet, model: FactorModelConfig, *, keep_on: Callable[[], bool]) -> Measured | None:
    """What `model` reaches exactly as it is; None if `keep_on`, asked between iterations, ended the fit.

    Raises ModelError if the fit fails.
    """
    last = model.iterations if isinstance(model, IterativeConfig) else 1

    def look(done: int, fitted: FactorModel) -> None:
        if done < last and not keep_on():
            raise _Ended

    fitted = _fit(data, model, look)
    if fitted is None:
        return None
    return as_set(data, fitted, model, last)


def follow(data: ValidationSet, model: FactorModelConfig, *, progress: Progress = silent) -> tuple[Measured, ...]:
    """What `model` reaches after its iterations, up to its own number or until two in a row were no better.

    A model whose single iterations change little is measured after every few of them, see `OnIteration`.
    Raises ModelError if the fit fails.
    """
    found: list[Measured] = []

    def look(done: int, fitted: FactorModel) -> None:
        found.append(as_set(data, fitted, model, done))
        if best_of(found) is found[-1]:
            found[-1] = with_tradeoff(data, fitted, model, found[-1])
        if _no_better(found):
            raise _Ended

    _fit(data, model, look, progress=progress)
    return tuple(found)


def explore(data: ValidationSet, model: FactorModelConfig, *, keep_on: Callable[[int, float], bool]) -> Measured:
    """The best number of iterations, up to that of `model`, popularity exponent, and share of the neighbours.

    `keep_on` is called after each measurement with the number of iterations and the score. The fit also ends if two
    measurements in a row were no better. Raises ModelError if the fit fails.
    """
    return best_of(explored(data, model, keep_on=keep_on))


def explored(
    data: ValidationSet,
    model: FactorModelConfig,
    *,
    keep_on: Callable[[int, float], bool],
    within: Within = EVERYTHING,
    progress: Progress = silent,
) -> tuple[Measured, ...]:
    """All measurements that `explore` chooses from, each the best of what is tried at that number of iterations.

    With `within.tradeoff` the best has its trade-off between accuracy and coverage.
    """
    found: list[Measured] = []
    last = model.iterations if isinstance(model, IterativeConfig) else 1

    def look(done: int, fitted: FactorModel) -> None:
        if not within.is_due(done, last):
            return
        found.append(best_within(data, fitted, model, done, within=within, near=best_of(found) if found else None))
        if within.tradeoff and best_of(found) is found[-1]:
            found[-1] = with_tradeoff(data, fitted, model, found[-1])
        if not keep_on(done, found[-1].objective) or _no_better(found):
            raise _Ended

    _fit(data, model, look, progress=progress)
    return tuple(found)


def _no_better(found: Sequence[Measured]) -> bool:
    """Whether the last measurements were no better than those before them."""
    return found.index(best_of(found)) < len(found) - _PATIENCE


def _fit(
    data: ValidationSet, model: FactorModelConfig, look: OnIteration, *, progress: Progress = silent
) -> FactorModel | None:
    """Fit on the training matrix as the job does; `look` may raise `_Ended`, and then there is no model."""
    with suppress(_Ended):
        start = data.spectral_start(model, progress=progress)
        alone = model.model_copy(update={"neighbours": 0})  # measurements take those of the set, learned once
        return fit_model(data.train, alone, start=start, progress=progress, on_iteration=look)
    return None


def stop_on_validation(
    events: Interactions, config: PipelineConfig, *, progress: Progress = silent
) -> tuple[Stopping | None, Tradeoff | None]:
    """Find after which iteration a fit on the train side, less a validation part, ranks that part best.

    And its trade-off between accuracy and coverage. `events`: the whole log; its holdout is cut off first and not
    looked at. Both are None if the model has no iterations or the configuration asks for no early stopping. Raises
    ModelError if the fit fails.
    """
    metric, model = config.publish.metric, config.model
    if not isinstance(model, IterativeConfig) or not model.early_stopping:
        return None, None
    try:
        data = Validation(events, config, n_users=_STOPPING_USERS).under(config)
    except DataError as error:
        logger.warning("no early stopping: the train side cannot be split again: %s", error)
        return Stopping(iterations=model.iterations, metric=metric, reason=str(error)), None
    found = follow(data, model, progress=progress)
    return stopping_of(found, metric=metric, n_users=data.n_users), tradeoff_of(found, data)


def tradeoff_of(found: Sequence[Measured], data: ValidationSet) -> Tradeoff | None:
    """That of the best of the measurements of one fit; None if it was not measured."""
    best = best_of(found)
    if not best.tradeoff:
        return None
    return Tradeoff(
        metric=data.metric,
        n_users=min(TRADEOFF_USERS, data.n_users),
        popularity_exponent=best.popularity_exponent,
        points=best.tradeoff,
    )


def stopping_of(found: Sequence[Measured], *, metric: str, n_users: int) -> Stopping:
    """The best number of iterations of one fit, and its curve over `n_users` validation users."""
    best = best_of(found)
    logger.info("early stopping: users=%d iterations=%d %s=%.4f", n_users, best.iterations, metric, best.score)
    return Stopping(
        iterations=best.iterations,
        metric=metric,
        curve=tuple(each.score for each in found),
        measured_after=tuple(each.iterations for each in found),
        n_users=n_users,
    )
