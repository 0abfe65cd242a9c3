"""The short search of a night: what `[model]` does not set, and the half-life of events, chosen on a validation part.

First the candidates at a low dimension, on a sample of the users if the log is large; then the best of them at the
dimensions that suit the log; then a step in each direction from the best. All of it is bounded by counted work.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from recsys.data.interactions import Interactions
from recsys.errors import DataError
from recsys.evaluation.metrics import Values
from recsys.evaluation.provenance import Attempt, Choice
from recsys.evaluation.significance import Interval, paired_difference
from recsys.models.factors.config import FactorModelConfig, IterativeConfig, stops_early
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress, silent
from recsys.tuning.early_stopping import stop_on_validation, stopping_of, tradeoff_of
from recsys.tuning.found import Found, Serving
from recsys.tuning.half_life import HALF_LIFE, is_open
from recsys.tuning.matrices import Matrices
from recsys.tuning.open_settings import (
    allowed_sizes,
    at_size,
    open_keys,
    settings_of,
    steps_around,
    with_all_to_find,
)
from recsys.tuning.rough_stage import RoughStage
from recsys.tuning.trial_fits import Fits, Tried, best_fit
from recsys.tuning.validation import Validation
from recsys.tuning.work import WorkBudget, fit_work, work_on

logger = logging.getLogger(__name__)

_USERS = 2_000  # validation users, at most
_FROM_RANDOM = 10  # iterations that a random start needs
_RESAMPLES = 1_000  # for the interval of a gain, if the report has none
_ITERATIONS = 5  # of each of the two fits of a night that the work is compared with
LEAST_WORK = 20e9  # about twenty seconds: on a small log the fits of a night are no measure


def choose_settings(
    events: Interactions,
    config: PipelineConfig,
    *,
    serving: Serving | None = None,
    least_work: float = LEAST_WORK,
    keep_on: Callable[[], bool] = lambda: True,
    progress: Progress = silent,
) -> Found:
    """Choose what `[model]` does not set, the half-life if it is not set, and how many iterations to train.

    On a part of the train side.
    `events`: the whole log; its holdout is cut off first and not looked at. `serving`: its settings are tried first,
    and stay unless others are better by more than their interval. `least_work`: see `recsys.tuning.work`; a small log
    may be searched for so long, whatever its share of the night. `keep_on`: asked after every measurement; False ends
    the search with the best so far. Raises ModelError if neither what is tried nor the section itself can be fitted.
    """
    if not open_keys(config.model) and not is_open(config, events):
        return Found(None, *stop_on_validation(events, config, progress=progress))
    try:
        validation = Validation(events, config, n_users=_USERS)
    except DataError as error:
        return _defaults(events, config, f"the train side cannot be split again: {error}", progress)
    if (few := len(validation.users)) < (enough := config.publish.min_users):
        reason = f"{few} validation users, expected {enough} at least (publish.min_users)"
        return _defaults(events, config, reason, progress)
    search = _Search.of(config, validation, least_work=least_work, keep_on=keep_on, progress=progress)
    kept = None if serving is None else _as_served(search, serving)
    if (best := _best_of_all(search, kept)) is None:
        return _defaults(events, config, f"nothing that was tried can be fitted: {search.fits.failure}", progress)
    return _found(search, serving, kept, best)


def _defaults(events: Interactions, config: PipelineConfig, reason: str, progress: Progress) -> Found:
    logger.warning("settings that [model] does not set have their defaults: %s", reason)
    choice = Choice(metric=config.publish.metric, reason=reason)
    return Found(choice, *stop_on_validation(events, config, progress=progress))


@dataclass(frozen=True, eq=False)
class _Search:
    """`keys`: the settings to choose; `sizes`: the dimensions that may be chosen; `unit`: the work of a night."""

    config: PipelineConfig
    matrices: Matrices
    keys: frozenset[str]
    sizes: tuple[int, ...]
    unit: float
    fits: Fits

    @staticmethod
    def of(
        config: PipelineConfig,
        validation: Validation,
        *,
        least_work: float,
        keep_on: Callable[[], bool],
        progress: Progress,
    ) -> "_Search":
        train = validation.under(config).train.csr
        keys = open_keys(config.model)
        sizes = allowed_sizes(config.model, keys, train.shape)
        unit = 2 * fit_work(train.shape, train.nnz, at_size(config.model, sizes[-1]), iterations=_ITERATIONS)
        budget = WorkBudget(max(least_work, config.model.auto_share * unit))
        matrices = Matrices(validation, config, budget, may_decay=is_open(config, validation.events))
        return _Search(config, matrices, keys, sizes, unit, Fits(keys, budget, progress, keep_on))

    @property
    def section(self) -> FactorModelConfig:
        return self.config.model

    def gain(self, better: Values, worse: Values) -> Interval:
        evaluate = self.config.evaluate
        rng = np.random.default_rng(evaluate.seed)
        samples = evaluate.bootstrap or _RESAMPLES
        return paired_difference(better, worse, samples=samples, confidence=evaluate.confidence, rng=rng)

    def attempt(self, tried: Tried) -> Attempt:
        """What the report says of it."""
        return Attempt(
            settings=settings_of(tried.model, self.keys),
            prepare=self.of_prepare(tried),
            score=tried.score,
            n_users=tried.n_users,
        )

    def of_prepare(self, tried: Tried) -> dict[str, float | None]:
        """The half-life, if it could be chosen."""
        return {HALF_LIFE: tried.half_life_days} if self.matrices.may_decay else {}


def _found(search: _Search, serving: Serving | None, kept: Tried | None, best: Tried) -> Found:
    stays = kept is not None and best is not kept and not _clearly_better(search, best, kept)
    chosen = kept if stays and kept is not None else best
    model, ended_early = _long_enough(search.section, chosen)
    data = search.matrices.as_configured
    choice = Choice(
        metric=search.config.publish.metric,
        settings=settings_of(model, search.keys),
        prepare=search.of_prepare(chosen),
        score=chosen.score,
        n_users=data.n_users,
        kept_from=serving.version if serving is not None and chosen is kept else None,
        ended_early=ended_early,
        work=search.fits.budget.used / search.unit,
        attempts=tuple(search.attempt(each) for each in search.fits.tried),
    )
    logger.info("settings: users=%d attempts=%d %s", choice.n_users, len(choice.attempts), choice.in_words())
    stopping = None
    if stops_early(search.section):
        stopping = stopping_of(chosen.curve, metric=choice.metric, n_users=choice.n_users)
        if ended_early is not None and isinstance(model, IterativeConfig):
            stopping = stopping.model_copy(update={"iterations": model.iterations})
    return Found(choice, stopping, tradeoff_of(chosen.curve, data))


def _long_enough(section: FactorModelConfig, chosen: Tried) -> tuple[FactorModelConfig, int | None]:
    """The chosen model, and the iterations after which the end of the work cut its fit too early to know the best.

    It then has the iterations of the section or of their default, at least. None if the best number was found.
    """
    done, best = chosen.curve[-1].iterations, chosen.best.iterations
    if not (chosen.cut and isinstance(section, IterativeConfig) and section.early_stopping):
        return chosen.model, None
    if best < done and done >= section.iterations:
        return chosen.model, None
    return chosen.model.model_copy(update={"iterations": max(best, section.iterations)}), done


def _as_served(search: _Search, serving: Serving) -> Tried | None:
    """What the settings of the serving version reach; None if it has another model, or they cannot be fitted."""
    if type(serving.model) is not type(search.section):
        return None
    update = {name: getattr(serving.model, name) for name in search.keys}
    model = with_all_to_find(search.section.model_copy(update=update), search.keys)
    matrices = search.matrices
    return search.fits.fit(
        matrices.under(serving.half_life_days) if matrices.may_decay else matrices.as_configured, model
    )


def _clearly_better(search: _Search, best: Tried, kept: Tried) -> bool:
    low = search.gain(best.best.per_user, kept.best.per_user).low
    return low is not None and low > 0


def _best_of_all(search: _Search, kept: Tried | None) -> Tried | None:
    """The best fit on the whole train side; None if there is none."""
    tried = [] if kept is None else [kept]
    seed = search.config.evaluate.seed
    stage = RoughStage.of(
        search.section, search.keys, search.sizes, matrices=search.matrices, fits=search.fits, seed=seed
    )
    for place, other in enumerate(stage.finalists()):
        if place == 0 or not tried:
            tried += _at_sizes(search, other)
        else:
            size = best_fit(tried).model.factors
            tried += _at(search, at_size(other.model, size), other.half_life_days)
    if not tried:
        return None
    if search.matrices.may_decay and best_fit(tried).half_life_days is not None:
        tried += _at(search, best_fit(tried).model, None)
    return best_fit([*tried, *_around(search, best_fit(tried))])


def _at(search: _Search, model: FactorModelConfig, half_life_days: float | None) -> list[Tried]:
    """`model` on the whole train side; from the spectral start if too little work is left for random vectors."""
    data = search.matrices.under(half_life_days)
    model = with_all_to_find(model, search.keys)
    long = work_on(data, model, iterations=_FROM_RANDOM, measurements=_FROM_RANDOM)
    if "start" in search.keys and not search.fits.budget.allows(long):
        model = model.model_copy(update={"start": "spectral"})
    fitted = search.fits.fit(data, model)
    return [] if fitted is None else [fitted]


def _at_sizes(search: _Search, best: Tried) -> list[Tried]:
    """Its model at the highest dimension, and at lower ones up to the first that is no better than the one before."""
    tried: list[Tried] = []
    for size in reversed(search.sizes):
        fitted = _at(search, at_size(best.model, size), best.half_life_days)
        if not fitted and tried:
            break
        tried += fitted
        if len(tried) > 1 and tried[-1].score <= tried[-2].score:
            break
    return tried


def _around(search: _Search, best: Tried) -> list[Tried]:
    """Steps from the best, and from a step that is better, until none is."""
    tried: list[Tried] = []
    data = search.matrices.under(best.half_life_days)
    while True:
        models = steps_around(best.model, search.keys, data.train.csr)
        fits = [search.fits.fit(data, with_all_to_find(model, search.keys)) for model in models]
        tried += [each for each in fits if each and each not in tried]
        if not tried or best_fit(tried).score <= best.score:
            return tried
        best = best_fit(tried)
