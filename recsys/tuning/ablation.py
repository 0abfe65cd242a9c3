"""What each bought: the winner, with one group of settings at a time put back to where the search began."""

from dataclasses import dataclass

from recsys.evaluation.metrics import Values
from recsys.evaluation.significance import Interval
from recsys.tuning.searcher import Searcher
from recsys.tuning.space import EVENT_WEIGHT, Point

_GROUPS = {
    "weighting": ("weighting", "user_degree_exponent", "item_degree_exponent", "bm25_k1", "bm25_b"),
    "alpha, regularization": ("strength", "penalty"),
    "start, iterations": ("start", "iterations"),
    "popularity_exponent": ("popularity_exponent",),
    "event_weights": (EVENT_WEIGHT,),
    "half_life_days": ("decay", "half_life_days"),
}


@dataclass(frozen=True)
class Ablation:
    """A group of settings. `without`: the score with it put back; `gain`: winner minus that, paired by user.

    Both are None where the time was over before.
    """

    name: str
    without: float | None = None
    gain: Interval | None = None


def ablate(
    searcher: Searcher, winner: Point, start: Point, *, factors: int, per_user: Values
) -> tuple[Ablation, ...]:
    """One fit for each group in which the points differ. `per_user`: float64 (n_users,), of the winner.

    Gains do not add up: one group makes up for another. A weighting is put back at the same strength, so alpha
    changes with it.
    """
    whole, rows = searcher.settings_at(winner), []
    for name, coordinates in _GROUPS.items():
        settings = searcher.settings_at(_put_back(winner, start, coordinates))
        if settings == whole:
            continue
        back = None if searcher.budget.spent() else searcher.measure(settings, factors)
        rows.append(
            Ablation(name) if back is None else Ablation(name, back.score, searcher.gain(per_user, back.per_user))
        )
    return tuple(rows)


def _put_back(winner: Point, start: Point, coordinates: tuple[str, ...]) -> Point:
    return {name: value for name, value in winner.items() if not name.startswith(coordinates)} | {
        name: value for name, value in start.items() if name.startswith(coordinates)
    }
