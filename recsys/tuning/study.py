"""The study: Optuna proposes points and prunes trials; a journal on disk lets a search be resumed.

Proposals come from a tree-structured Parzen estimator: Bergstra et al., "Algorithms for Hyper-Parameter Optimization"
(2011).
"""

from collections.abc import Iterable
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from recsys.errors import ArtifactError
from recsys.tuning.space import Point, Space

_JOURNAL = "journal.log"


class Journal:
    """The studies of one search, in one file of a folder of its own."""

    def __init__(self, folder: Path) -> None:
        """Raises ArtifactError where the journal in `folder` is damaged."""
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        path = folder / _JOURNAL
        try:
            self._storage = JournalStorage(JournalFileBackend(str(path)))
        except (ValueError, KeyError) as error:
            raise ArtifactError(
                f"{path}: not a journal of trials ({error}); delete {folder} to start anew"
            ) from error

    def study(self, factors: int, *, seed: int, n_random: int) -> optuna.Study:
        """The study at one dimension. `n_random`: so many trials, enqueued ones too, before the estimator proposes.

        A resumed study draws other numbers than it began with, the same ones however often it is resumed there.
        """
        study = optuna.create_study(
            study_name=str(factors),
            storage=self._storage,
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


def ended(study: optuna.Study) -> list[FrozenTrial]:
    """The trials that ended in one way or another, in the order they began."""
    return study.get_trials(deepcopy=False, states=tuple(state for state in TrialState if state.is_finished()))


def enqueue(study: optuna.Study, points: Iterable[Point], space: Space) -> None:
    """Have these points tried first, as far as `space` knows their coordinates; those that were tried are not."""
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
