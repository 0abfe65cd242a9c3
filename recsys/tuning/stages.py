"""Stages: trials at a low dimension first, where they are cheap, then at the full one, from the best of the first.

Optuna proposes the points, ends poor trials early and keeps a journal, so that a search can be resumed. It proposes
by a tree-structured Parzen estimator: Bergstra et al., "Algorithms for Hyper-Parameter Optimization" (2011).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend

from recsys.errors import ArtifactError, ConfigError, RecsysError
from recsys.evaluation.metrics import Values
from recsys.models.factors.config import IterativeConfig
from recsys.tuning.budget import Plan
from recsys.tuning.measured import Measured
from recsys.tuning.space import Point, Space, holds
from recsys.tuning.trials import (
    FinishedTrial,
    Objective,
    SearchContext,
    finished_trials,
    save_scores,
    scores_file,
)

_JOURNAL = "journal.log"

_PROMISING = 0.9
"""A weighting that reaches this share of the best score is tried at the full dimension too."""


@dataclass(frozen=True, eq=False)
class Stage:
    """The trials at one dimension. `start`: what the settings the search began with reach there, as they are."""

    factors: int
    start: Measured
    trials: tuple[FinishedTrial, ...]
    folder: Path

    def ranked(self) -> list[FinishedTrial]:
        """The trials that have a score, best first."""
        scored = [trial for trial in self.trials if trial.objective is not None]
        return sorted(scored, key=lambda trial: -(trial.objective or 0.0))

    @property
    def winner(self) -> FinishedTrial | None:
        """The best trial; None if none is better than the start."""
        return next((trial for trial in self.ranked()[:1] if (trial.objective or 0.0) > self.start.objective), None)

    def per_user(self, trial: FinishedTrial) -> Values:
        """float64 (n_users,): the metric of each validation user."""
        values: Values = np.load(self.folder / scores_file(self.factors, trial.number), allow_pickle=False)
        return values


def run_stages(context: SearchContext, space: Space, start: Point, plans: Sequence[Plan]) -> list[Stage]:
    """The stages that were reached, at least one; the first begins with `start`, the next with the best trials too.

    Raises ConfigError if the time was over before the start was measured, KeyboardInterrupt if the search was
    interrupted before, ModelError if the start cannot be fitted.
    """
    stages: list[Stage] = []
    points = [start]
    for plan in plans:
        measured = _measured_start(context, plan.factors)
        if measured is None:
            break
        stages.append(_run_stage(context, space, points, plan, measured))
        points = [start, *_promising(stages[-1], space)]
        space = space.around(points)
    if stages:
        return stages
    if context.deadline.interrupted:
        raise KeyboardInterrupt
    limit = f"--timeout: got {context.deadline.seconds or 0.0:g} seconds"
    raise ConfigError(f"{limit}, which were over before the settings the search begins with were measured")


def _measured_start(context: SearchContext, factors: int) -> Measured | None:
    """What the start reaches, from an earlier search or measured now; None if the time was over before."""
    path, model = context.folder / scores_file(factors, "start"), context.config.model
    beside = context.folder / scores_file(factors, "start-coverage")
    if path.exists() and beside.exists():
        iterations = model.iterations if isinstance(model, IterativeConfig) else 1
        return Measured(
            iterations,
            model.popularity_exponent,
            np.load(path, allow_pickle=False),
            model.neighbours_share,
            coverage=float(np.load(beside, allow_pickle=False)[0]),
            coverage_weight=context.validation.coverage_weight,
        )
    measured = context.measure({}, factors)
    if measured is not None:
        save_scores(beside, np.array([measured.coverage]))
        save_scores(path, measured.per_user)
        context.announce_score(factors, "the settings the search begins with", measured)
    return measured


def _run_stage(context: SearchContext, space: Space, first: Sequence[Point], plan: Plan, start: Measured) -> Stage:
    """Try points of `space`, `first` first; trials of an earlier search in the folder count.

    A trial whose fit fails is recorded as failed.
    """
    seed, n_random = context.config.model.seed, max(plan.n_random, len(first))
    study = _open_study(context.folder, plan.factors, seed=seed, n_random=n_random)
    _enqueue(study, first, space)
    stage = partial(_stage, context, study, plan.factors, start)

    def announce_best(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        winner = stage().winner
        if winner is not None and winner.number == trial.number:
            context.announce_score(plan.factors, f"trial {trial.number}", winner)

    done = len(stage().trials)
    if not context.deadline.over(plan.share):
        tick = partial(_show_progress, context, plan, study)
        with _journal_errors():
            study.optimize(
                Objective(context, space, plan.factors, plan.share, tick),
                n_trials=None if plan.n_trials is None else max(0, plan.n_trials - done),
                timeout=context.deadline.left(plan.share),
                catch=RecsysError,
                callbacks=[announce_best],
            )
    context.progress(_name(plan), 1.0, 1.0)
    return stage()


@contextmanager
def _journal_errors() -> Iterator[None]:
    """Raise the OSError of a journal that cannot be written; Optuna fails an assertion of its own instead."""
    try:
        yield
    except AssertionError as error:
        if isinstance(error.__context__, OSError):
            raise error.__context__ from None
        raise


def _open_study(folder: Path, factors: int, *, seed: int, n_random: int) -> optuna.Study:
    """The study of one dimension, kept in the journal in `folder`.

    `n_random`: trials, enqueued ones included, before the estimator proposes. A resumed study draws other numbers
    than it began with, the same ones however often it is resumed there. Raises ArtifactError if the journal is
    damaged.
    """
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    path = folder / _JOURNAL
    try:
        study = optuna.create_study(
            study_name=str(factors),
            storage=JournalStorage(JournalFileBackend(str(path))),
            direction="maximize",
            # A trial goes on while its score is at least the median of the others at that measurement. The first
            # one says little: from random vectors it is poor whatever the settings.
            pruner=optuna.pruners.MedianPruner(n_startup_trials=4, n_warmup_steps=1),
            load_if_exists=True,
        )
    except (ValueError, KeyError) as error:
        raise ArtifactError(
            f"{path}: not a journal of trials ({error}); delete {folder} to start from scratch"
        ) from error
    study.sampler = optuna.samplers.TPESampler(
        n_startup_trials=n_random, multivariate=True, seed=seed + len(study.get_trials(deepcopy=False))
    )
    return study


def _enqueue(study: optuna.Study, points: Iterable[Point], space: Space) -> None:
    """Try these points first, as far as `space` has their coordinates, unless they were tried before."""
    for point in points:
        known = {name: point[name] for name in space.choices}
        inside = {
            name: point[name] for name, bounds in space.active(point).items() if holds(bounds, float(point[name]))
        }
        study.enqueue_trial(known | inside, skip_if_exists=True)


def _stage(context: SearchContext, study: optuna.Study, factors: int, start: Measured) -> Stage:
    return Stage(factors, start, finished_trials(study, factors), context.folder)


def _promising(stage: Stage, space: Space) -> list[Point]:
    """The best trial of each value of the first choice, best first, if it comes near the best of all.

    The first choice of ALS is the weighting: which of them is best depends on the dimension.
    """
    best: dict[object, FinishedTrial] = {}
    for trial in stage.ranked():
        best.setdefault(next((trial.point[name] for name in space.choices), None), trial)
    enough = _PROMISING * max((trial.objective or 0.0 for trial in best.values()), default=0.0)
    return [trial.point for trial in best.values() if (trial.objective or 0.0) >= enough]


def _show_progress(context: SearchContext, plan: Plan, study: optuna.Study) -> None:
    """How far the stage is, by trials or by time, whichever will end it first."""
    deadline = context.deadline
    by_time = deadline.used / (deadline.seconds * plan.share) if deadline.seconds else 0.0
    by_trials = len(finished_trials(study, plan.factors)) / plan.n_trials if plan.n_trials else 0.0
    context.progress(_name(plan), min(0.99, max(by_time, by_trials)), 1.0)


def _name(plan: Plan) -> str:
    return f"search, {plan.factors} factors"
