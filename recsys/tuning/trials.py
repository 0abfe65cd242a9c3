"""Trials: what one trial of a search fits and records. Optuna proposes the points and ends trials early.

Proposals come from a tree-structured Parzen estimator: Bergstra et al., "Algorithms for Hyper-Parameter Optimization"
(2011). A journal on disk lets a search be resumed.
"""

import io
import logging
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from recsys.artifacts.files import replace_durably
from recsys.errors import ArtifactError, RecsysError
from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import Interval, paired_difference
from recsys.models.factors.als import AlsConfig
from recsys.pipeline_config import PipelineConfig
from recsys.progress import Progress
from recsys.tuning.budget import Deadline
from recsys.tuning.early_stopping import Measured, explore, measure
from recsys.tuning.settings import Settings, als_section, applied, event_settings, model_settings
from recsys.tuning.space import Point, Space
from recsys.tuning.validation import Validation, ValidationSet

logger = logging.getLogger(__name__)

MOST_ITERATIONS = 20
"""The last iteration of a fit that keeps getting better."""

_JOURNAL = "journal.log"


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
        return settings | model_settings(point, als_section(self.config), train)

    def fit_under(
        self, settings: Settings, factors: int, *, iterations: int | None = None
    ) -> tuple[ValidationSet, AlsConfig]:
        """The validation set under `settings`, and the model to fit on it."""
        config = applied(self.config, settings)
        model = als_section(config)
        update = {"factors": factors, "log_loss": False, "iterations": iterations or model.iterations}
        return self.validation.under(config), model.model_copy(update=update)

    def measure(self, settings: Settings, factors: int) -> Measured | None:
        """What `settings` reach exactly as they are; None if the time was over before."""
        return measure(*self.fit_under(settings, factors), keep_on=lambda: not self.deadline.over())

    def gain(self, better: Values, worse: Values) -> Interval:
        """The mean difference per user, with the interval that `[evaluate]` asks for."""
        evaluate = self.config.evaluate
        rng = np.random.default_rng(evaluate.seed)
        return paired_difference(better, worse, samples=evaluate.bootstrap, confidence=evaluate.confidence, rng=rng)

    def announce_score(self, factors: int, what: str, score: float) -> None:
        """One line with a score."""
        self.announce(f"{factors} factors, {what}: {self.config.publish.metric} {score:.4f}")


@dataclass(frozen=True)
class FinishedTrial:
    """One trial: the `point` that was proposed, the `settings` it stands for, and what they reached.

    `state`: "complete", "pruned" (ended early, by its score or by the time) or "fail". `score`: the best over the
    iterations and popularity exponents, which are then among the settings; None if the fit failed.
    """

    factors: int
    number: int
    state: str
    point: Point
    settings: Settings
    score: float | None
    seconds: float

    @property
    def found(self) -> Point:
        """The point, and what was found within its fit."""
        inner = self.settings["model"]
        return {**self.point, **{name: inner[name] for name in ("iterations", "popularity_exponent")}}


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
        started, ended_early = time.monotonic(), False

        def keep_on(done: int, score: float) -> bool:
            nonlocal ended_early
            trial.report(score, done)
            self.tick()
            ended_early = trial.should_prune() or self.context.deadline.over(self.share)
            return not ended_early

        try:
            settings = self.context.settings_at(draw(trial, self.space))
            fit = self.context.fit_under(settings, self.factors, iterations=MOST_ITERATIONS)
            best = explore(*fit, keep_on=keep_on)
        except RecsysError as error:
            logger.warning("%d factors, trial %d failed: %s", self.factors, trial.number, error)
            raise
        finally:
            trial.set_user_attr("seconds", round(time.monotonic() - started, 2))
        self._record(trial, settings, best)
        if ended_early:
            raise optuna.TrialPruned
        return best.score

    def _record(self, trial: optuna.Trial, settings: Settings, best: Measured) -> None:
        save_scores(self.context.folder / scores_file(self.factors, trial.number), best.per_user)
        found = {"iterations": best.iterations, "popularity_exponent": best.popularity_exponent}
        trial.set_user_attr("settings", {**settings, "model": {**settings["model"], **found}})
        trial.set_user_attr("score", best.score)


def open_study(folder: Path, factors: int, *, seed: int, n_random: int) -> optuna.Study:
    """The study of one dimension, kept in the journal in `folder`.

    `n_random`: trials, enqueued ones included, before the estimator proposes. A resumed study draws other numbers
    than it began with, the same ones however often it is resumed there. Raises ArtifactError if the journal is
    damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    study = optuna.create_study(
        study_name=str(factors),
        storage=_journal(folder),
        direction="maximize",
        # A trial goes on while its score is at least the median of the others at that iteration. The first
        # one says little: from random vectors it is poor whatever the settings.
        pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
        load_if_exists=True,
    )
    study.sampler = optuna.samplers.TPESampler(
        n_startup_trials=n_random, multivariate=True, seed=seed + len(study.get_trials(deepcopy=False))
    )
    return study


def _journal(folder: Path) -> JournalStorage:
    path = folder / _JOURNAL
    try:
        return JournalStorage(JournalFileBackend(str(path)))
    except (ValueError, KeyError) as error:
        raise ArtifactError(f"{path}: not a journal of trials ({error}); delete {folder} to start anew") from error


def enqueue(study: optuna.Study, points: Iterable[Point], space: Space) -> None:
    """Try these points first, as far as `space` has their coordinates, unless they were tried before."""
    for point in points:
        known = {name: point[name] for name in space.choices}
        inside = {name: point[name] for name, span in space.active(point).items() if span.holds(point[name])}
        study.enqueue_trial(known | inside, skip_if_exists=True)


def draw(trial: optuna.Trial, space: Space) -> Point:
    """The point that is proposed for `trial`."""
    point: Point = {name: trial.suggest_categorical(name, values) for name, values in space.choices.items()}
    for name, span in space.active(point).items():
        point[name] = trial.suggest_float(name, span.low, span.high, log=span.log)
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
        settings=trial.user_attrs.get("settings", {}),
        score=trial.user_attrs.get("score"),
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
