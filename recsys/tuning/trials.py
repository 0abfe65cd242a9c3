"""Trials: what one trial of a search fits and records."""

import io
import itertools
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import cast

import numpy as np
import optuna
from optuna.trial import FrozenTrial, TrialState

from recsys.artifacts.files import replace_durably
from recsys.errors import RecsysError
from recsys.evaluation.definitions import coverage_of
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import Interval, paired_difference
from recsys.models.factors.config import FactorModelConfig, IterativeConfig
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.tuning.budget import Deadline
from recsys.tuning.early_stopping import explore, measure
from recsys.tuning.measured import Measured
from recsys.tuning.settings import ModelSpace, Settings, applied, event_settings, found_in_fit, space_of
from recsys.tuning.space import Point, Space, Value
from recsys.tuning.validation import Validation, ValidationSet

logger = logging.getLogger(__name__)

MEASURED = ("objective", "score", "coverage")
"""What a trial records of the best that its fit reached."""

MOST_ITERATIONS = 20
"""The last iteration of a fit that keeps getting better, unless the configuration has more."""


@dataclass(frozen=True, eq=False)
class SearchContext:
    """What all trials of a search share.

    `config`: the settings the search begins with. `folder`: its journal and scores. `announce`: receives one line
    whenever a trial is better than all before it.
    """

    config: PipelineConfig
    validation: Validation
    folder: Path
    deadline: Deadline
    progress: Progress
    announce: Callable[[str], None]

    def settings_at(self, point: Point) -> Settings:
        """The settings that a point stands for."""
        settings = event_settings(point, self.config)
        train = self.validation.under(applied(self.config, settings)).train.csr
        return settings | {"model": self.model_space.settings(point, train)}

    def fit_under(self, settings: Settings, factors: int) -> tuple[ValidationSet, FactorModelConfig]:
        """The validation set and the model under `settings`, which may themselves have a number of factors."""
        config = applied(applied(self.config, {"model": {"factors": factors}}), settings)
        return self.validation.under(config), _without_losses(config.model)

    @property
    def model_space(self) -> ModelSpace:
        """The settings of the model that can be searched."""
        return space_of(self.config.model)

    def measure(self, settings: Settings, factors: int) -> Measured | None:
        """What `settings` reach exactly as they are; None if the time was over before."""
        return measure(*self.fit_under(settings, factors), keep_on=lambda: not self.deadline.over())

    def gain(self, better: Values, worse: Values) -> Interval:
        """The mean difference per user, with the interval that `[evaluate]` asks for."""
        evaluate = self.config.evaluate
        rng = np.random.default_rng(evaluate.seed)
        return paired_difference(better, worse, samples=evaluate.bootstrap, confidence=evaluate.confidence, rng=rng)

    def announce_score(self, factors: int, what: str, reached: "Measured | FinishedTrial") -> None:
        """One line with a score and its coverage."""
        metric = self.config.publish.metric
        coverage = f"{coverage_of(metric)} {reached.coverage or 0.0:.4f}"
        self.announce(f"{factors} factors, {what}: {metric} {reached.score or 0.0:.4f}, {coverage}")


@dataclass(frozen=True)
class FinishedTrial:
    """One trial: the `point` that was proposed, the `settings` it stands for, and what they reached.

    `found`: the settings that were found within the fit.
    `state`: "complete", "pruned" (ended early, by its score or by the time) or "fail". `objective`: what trials are
    compared by, the best over the iterations and popularity exponents, which are then among the settings; `score`:
    the metric, and `coverage` of the lists. All are None if the fit failed.
    """

    factors: int
    number: int
    state: str
    point: Point
    found: Point
    settings: Settings
    objective: float | None
    score: float | None
    coverage: float | None
    seconds: float

    @property
    def whole_point(self) -> Point:
        """The point, and what was found within its fit."""
        return {**self.point, **self.found}


@dataclass(frozen=True, eq=False)
class Objective:
    """What Optuna maximises: fits the point it proposes at one dimension, and records what that reached.

    `share`: of the time, after which the trial is ended. `tick`: called after every iteration.
    """

    context: SearchContext
    space: Space
    factors: int
    share: float
    tick: Callable[[], None]

    def __call__(self, trial: optuna.Trial) -> float:
        """The score of a trial. Raises TrialPruned if it was ended early, RecsysError if its fit failed."""
        started, ended_early, steps = time.monotonic(), False, itertools.count(1)

        def keep_on(done: int, score: float) -> bool:
            nonlocal ended_early
            trial.report(score, next(steps))
            self.tick()
            over = self.context.deadline.over(self.share)
            if over:
                trial.study.stop()  # after this trial
            ended_early = over or trial.should_prune()
            return not ended_early

        try:
            settings = self.context.settings_at(draw(trial, self.space))
            data, model = self.context.fit_under(settings, self.factors)
            best = explore(data, _with_most_iterations(model), keep_on=keep_on)
        except RecsysError as error:
            logger.warning("%d factors, trial %d failed: %s", self.factors, trial.number, error)
            raise
        finally:
            trial.set_user_attr("seconds", round(time.monotonic() - started, 2))
        self._record(trial, settings, best)
        if ended_early:
            raise optuna.TrialPruned
        return best.objective

    def _record(self, trial: optuna.Trial, settings: Settings, best: Measured) -> None:
        save_scores(self.context.folder / scores_file(self.factors, trial.number), best.per_user)
        found = {name: getattr(best, name) for name in found_in_fit(self.context.config.model)}
        trial.set_user_attr("settings", {**settings, "model": {**settings["model"], **found}})
        trial.set_user_attr("found", found)
        for name in MEASURED:
            trial.set_user_attr(name, getattr(best, name))


def _without_losses(model: FactorModelConfig) -> FactorModelConfig:
    """A training loss costs time, and no trial looks at it."""
    return model.model_copy(update={"log_loss": False}) if "log_loss" in type(model).model_fields else model


def _with_most_iterations(model: FactorModelConfig) -> FactorModelConfig:
    if not isinstance(model, IterativeConfig):
        return model
    return model.model_copy(update={"iterations": max(MOST_ITERATIONS, model.iterations)})


def draw(trial: optuna.Trial, space: Space) -> Point:
    """The point that is proposed for `trial`."""
    point: Point = {}
    for name, values in space.choices.items():
        point[name] = cast(Value, trial.suggest_categorical(name, values))
    for name, bounds in space.active(point).items():
        if bounds.whole:
            point[name] = trial.suggest_int(name, int(bounds.low), int(bounds.high), log=bounds.log)
        else:
            point[name] = trial.suggest_float(name, bounds.low, bounds.high, log=bounds.log)
    return point


def finished_trials(study: optuna.Study, factors: int) -> tuple[FinishedTrial, ...]:
    """The trials that ended, in the order they began."""
    states = tuple(state for state in TrialState if state.is_finished())
    return tuple(_finished(trial, factors) for trial in study.get_trials(deepcopy=False, states=states))


def _finished(trial: FrozenTrial, factors: int) -> FinishedTrial:
    return FinishedTrial(
        factors=factors,
        number=trial.number,
        state=trial.state.name.lower(),
        point=dict(trial.params),
        found=trial.user_attrs.get("found", {}),
        settings=trial.user_attrs.get("settings", {}),
        **{name: trial.user_attrs.get(name) for name in MEASURED},
        seconds=trial.user_attrs.get("seconds", 0.0),
    )


def scores_file(factors: int, trial: int | str) -> str:
    """The name of the file with the metric of each validation user, float64 (n_users,)."""
    return f"{factors}-{trial}.npy"


def save_scores(path: Path, per_user: Values) -> None:
    """Write them whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, per_user, allow_pickle=False)
    replace_durably(path, buffer.getvalue())
