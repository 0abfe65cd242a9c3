"""Search: trials at one dimension, from the settings one has to better ones."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np

from recsys.evaluation.metrics import Values
from recsys.tuning.measured_fits import Measured
from recsys.tuning.searcher import Searcher
from recsys.tuning.space import Point, Space
from recsys.tuning.study import Journal, enqueue
from recsys.tuning.trials import FinishedTrial, save_scores, scores_file, tried, try_next


@dataclass(frozen=True, eq=False)
class Stage:
    """The trials at one dimension. `start`: what the settings one has reach there, exactly as they are."""

    factors: int
    start: Measured
    trials: tuple[FinishedTrial, ...]
    folder: Path

    def best(self, n: int) -> list[FinishedTrial]:
        """The n best trials, best first."""
        scored = [trial for trial in self.trials if trial.score is not None]
        return sorted(scored, key=lambda trial: -(trial.score or 0.0))[:n]

    @property
    def winner(self) -> FinishedTrial | None:
        """The best trial; None where none is better than the start."""
        return next((trial for trial in self.best(1) if (trial.score or 0.0) > self.start.score), None)

    def per_user(self, trial: FinishedTrial) -> Values:
        """float64 (n_users,): the metric of each validation user."""
        values: Values = np.load(self.folder / scores_file(self.factors, trial.number), allow_pickle=False)
        return values


@dataclass(frozen=True)
class Plan:
    """How much a stage may do: `n_trials` in all, None for any number; until `share` of the time is spent.

    `n_random`: so many of them before earlier ones guide the choice.
    """

    factors: int
    n_trials: int | None
    share: float
    n_random: int = 8


def search(searcher: Searcher, space: Space, first: Sequence[Point], plan: Plan) -> Stage | None:
    """Try points of `space`, `first` first, as far as `plan` goes; trials of an earlier search in the folder count.

    None where not even the start could be measured in time. Raises ModelError where the start cannot be fitted; a
    trial that cannot is one that failed.
    """
    factors = plan.factors
    start = _start(searcher, factors)
    if start is None:
        return None
    seed, n_random = searcher.config.model.seed, max(plan.n_random, len(first))
    study = Journal(searcher.folder).study(factors, seed=seed, n_random=n_random)
    enqueue(study, first, space)
    stage = Stage(factors, start, tried(study, factors), searcher.folder)
    while not _is_over(searcher, plan, len(stage.trials)):
        tick = partial(_tell, searcher, plan, len(stage.trials))
        try_next(searcher, study, space, factors=factors, share=plan.share, tick=tick)
        before, stage = stage, Stage(factors, start, tried(study, factors), searcher.folder)
        if stage.winner is not None and stage.winner != before.winner:
            searcher.say(factors, f"trial {stage.winner.number}", stage.winner.score or 0.0)
    searcher.progress(_name(plan), 1.0, 1.0)
    return stage


def _start(searcher: Searcher, factors: int) -> Measured | None:
    """What the settings one has reach, from an earlier search or measured now; None where the time ran out."""
    path, model = searcher.folder / scores_file(factors, "start"), searcher.config.model
    if path.exists():
        return Measured(model.iterations, model.popularity_exponent, np.load(path, allow_pickle=False))
    measured = searcher.measure({}, factors)
    if measured is not None:
        save_scores(path, measured.per_user)
        searcher.say(factors, "the settings to start from", measured.score)
    return measured


def _is_over(searcher: Searcher, plan: Plan, done: int) -> bool:
    return searcher.budget.spent(plan.share) or (plan.n_trials is not None and done >= plan.n_trials)


def _tell(searcher: Searcher, plan: Plan, done: int) -> None:
    """How far the stage is, by trials or by time, whichever will end it first."""
    budget = searcher.budget
    by_time = budget.used / (budget.seconds * plan.share) if budget.seconds else 0.0
    by_trials = done / plan.n_trials if plan.n_trials else 0.0
    searcher.progress(_name(plan), min(0.99, max(by_time, by_trials)), 1.0)


def _name(plan: Plan) -> str:
    return f"search, {plan.factors} factors"
