"""Ablation: what each group of settings contributes to the winner.

One group at a time is put back to where the search began, and the model is fitted once more.
"""

from dataclasses import dataclass

from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import Interval
from recsys.tuning.space import EVENT_WEIGHT, Point
from recsys.tuning.trials import SearchContext

_EVENTS = {"event_weights": (EVENT_WEIGHT,), "half_life_days": ("decay", "half_life_days")}
"""The names of coordinates, or how they begin, per group."""


@dataclass(frozen=True)
class Ablation:
    """A group of settings. `without`, `coverage`: metric and coverage of the lists with the group put back.

    `gain`: the winner's metric minus that, paired by user. All are None if the time was over before.
    """

    group: str
    without: float | None = None
    gain: Interval | None = None
    coverage: float | None = None


def ablate(
    context: SearchContext, winner: Point, start: Point, *, factors: int, per_user: Values
) -> tuple[Ablation, ...]:
    """One fit per group in which the points differ. `per_user`: float64 (n_users,), of the winner.

    Gains do not add up, because one group can make up for another. A weighting of ALS is put back at the same
    strength, so alpha changes with it.
    """
    whole, rows = context.settings_at(winner), []
    for group, coordinates in {**context.model_space.groups, **_EVENTS}.items():
        settings = context.settings_at(_put_back(winner, start, coordinates))
        if settings == whole:
            continue
        measured = None if context.deadline.over() else context.measure(settings, factors)
        rows.append(
            Ablation(group)
            if measured is None
            else Ablation(group, measured.score, context.gain(per_user, measured.per_user), measured.coverage)
        )
    return tuple(rows)


def _put_back(winner: Point, start: Point, coordinates: tuple[str, ...]) -> Point:
    return {name: value for name, value in winner.items() if not name.startswith(coordinates)} | {
        name: value for name, value in start.items() if name.startswith(coordinates)
    }
