"""Stages: a low dimension first, where trials are cheap, then the full one, from the best of what was found."""

from dataclasses import dataclass

from recsys.errors import ConfigError
from recsys.tuning.search import Plan, Stage, search
from recsys.tuning.searcher import Searcher
from recsys.tuning.space import Point, Space
from recsys.tuning.trials import FinishedTrial

# Of the time: when the full dimension's turn comes, and when trials end; the rest is for what each bought.
_LOW_UNTIL, _TRIALS_UNTIL = 0.6, 0.9

_TRIALS = 30  # where neither trials nor seconds are given
_MOST_LOW = 60  # at the low dimension, where only seconds are given
_PROMISING = 0.9  # of the best score: a weighting that reaches it is tried at the full dimension


@dataclass(frozen=True)
class Effort:
    """How much to do, and on what.

    `trials`: in all, those of an earlier search included; `seconds`: of this one; whichever ends first.
    `factors_low`: the dimension of the first trials, where the full one is higher. `events`: search the weights of
    events and their half-life too. `users`: so many validation users at most.
    """

    trials: int | None = None
    seconds: float | None = None
    factors_low: int = 64
    events: bool = False
    users: int = 5_000


def search_stages(searcher: Searcher, space: Space, start: Point, effort: Effort) -> list[Stage]:
    """The stages that were reached, at least one; the first sets out from the start, the next from its best too."""
    stages: list[Stage] = []
    points = [start]
    for plan in _plans(effort, searcher.config.model.factors):
        stage = search(searcher, space, points, plan)
        if stage is None:
            break
        stages.append(stage)
        points = [start, *_promising(stage)]
        space = space.around(points)
    if stages:
        return stages
    if searcher.budget.interrupted:
        raise KeyboardInterrupt
    raise ConfigError(
        f"--timeout: {effort.seconds:g} seconds were over before the settings to start from were measured"
    )


def _promising(stage: Stage) -> list[Point]:
    """The best trial of each weighting, best first: which weighting is best depends on the dimension."""
    trials = stage.best(len(stage.trials))
    best = {trial.point["weighting"]: trial for trial in reversed(trials)}
    return [trial.point for trial in trials if trial is best[trial.point["weighting"]] and _near(trial, trials[0])]


def _near(trial: FinishedTrial, best: FinishedTrial) -> bool:
    return (trial.score or 0.0) >= _PROMISING * (best.score or 0.0)


def _plans(effort: Effort, factors: int) -> list[Plan]:
    trials = _TRIALS if effort.trials is None and effort.seconds is None else effort.trials
    if factors <= effort.factors_low or trials in (1, 2):
        return [Plan(factors, trials, _TRIALS_UNTIL)]
    n_full = None if trials is None else trials // 3
    n_low = _MOST_LOW if trials is None else trials - trials // 3
    return [Plan(effort.factors_low, n_low, _LOW_UNTIL), Plan(factors, n_full, _TRIALS_UNTIL, n_random=0)]
