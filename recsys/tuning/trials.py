"""Trials: one point tried, and what is kept of it."""

import io
import logging
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from optuna import Study, Trial
from optuna.trial import FrozenTrial, TrialState

from recsys.artifacts.files import replace_durably
from recsys.errors import RecsysError
from recsys.evaluation.metrics import Values
from recsys.tuning.measured_fits import Measured, explore
from recsys.tuning.searcher import Searcher
from recsys.tuning.settings import Settings
from recsys.tuning.space import Point, Space
from recsys.tuning.study import draw, ended

logger = logging.getLogger(__name__)

MOST_ITERATIONS = 20
"""Where a fit ends that gets better and better."""


@dataclass(frozen=True)
class FinishedTrial:
    """One trial: the `point` that was proposed, the `settings` it stands for, and what they reached.

    `state`: "complete", "pruned" (given up early, or cut short by the time) or "fail". `score`: the best over
    iterations and popularity exponents, which are then among the settings; None where no iteration was reached.
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


@dataclass
class _Watch:
    """Decides after each iteration whether a trial goes on; `stopped` once it does not."""

    searcher: Searcher
    trial: Trial
    share: float
    tick: Callable[[], None]
    stopped: bool = field(default=False, init=False)

    def __call__(self, done: int, score: float) -> bool:
        self.trial.report(score, done)
        self.tick()
        self.stopped = self.trial.should_prune() or self.searcher.budget.spent(self.share)
        return not self.stopped


def try_next(
    searcher: Searcher, study: Study, space: Space, *, factors: int, share: float, tick: Callable[[], None]
) -> None:
    """Have the next point proposed, fit it, and write down what came of it.

    `share`: of the time, after which the trial is cut short. `tick`: called after every iteration.
    """
    started, trial = time.monotonic(), study.ask()
    watch = _Watch(searcher, trial, share, tick)
    measured: Measured | None = None
    try:
        settings = searcher.settings_at(draw(trial, space))
        measured = explore(*searcher.asked(settings, factors, iterations=MOST_ITERATIONS), keep_on=watch)
    except RecsysError as error:
        logger.warning("%d factors, trial %d failed: %s", factors, trial.number, error)
        trial.set_user_attr("error", str(error))
    if measured is not None:
        save_scores(searcher.folder / scores_file(factors, trial.number), measured.per_user)
        trial.set_user_attr("settings", _with_found(settings, measured))
        trial.set_user_attr("score", measured.score)
    trial.set_user_attr("seconds", round(time.monotonic() - started, 2))
    _close(study, trial, measured, stopped=watch.stopped)


def _with_found(settings: Settings, measured: Measured) -> Settings:
    found = {"iterations": measured.iterations, "popularity_exponent": measured.popularity_exponent}
    return {**settings, "model": {**settings["model"], **found}}


def _close(study: Study, trial: Trial, measured: Measured | None, *, stopped: bool) -> None:
    if measured is None:
        study.tell(trial, state=TrialState.FAIL)
    elif stopped:
        study.tell(trial, state=TrialState.PRUNED)
    else:
        study.tell(trial, measured.score)


def tried(study: Study, factors: int) -> tuple[FinishedTrial, ...]:
    """The trials that ended, in the order they began."""
    return tuple(_tried(trial, factors) for trial in ended(study))


def _tried(trial: FrozenTrial, factors: int) -> FinishedTrial:
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
    """What keeps the metric of each validation user: float64 (n_users,)."""
    return f"{factors}-{trial}.npy"


def save_scores(path: Path, per_user: Values) -> None:
    """Write them whole or not at all."""
    buffer = io.BytesIO()
    np.save(buffer, per_user, allow_pickle=False)
    replace_durably(path, buffer.getvalue())
