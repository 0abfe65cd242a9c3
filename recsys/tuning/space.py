"""Space: what a search may choose, in coordinates that mean the same under every weighting.

Confidences differ by orders of magnitude from one weighting to the next, and so do good values of alpha and of the
regularization. So a point has `strength`, the mean confidence of a stored entry, in the place of alpha, and
`penalty`, the regularization divided by the strength, in the place of the regularization.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, get_args

import numpy as np

from recsys.data.interactions import Interactions
from recsys.errors import ConfigError
from recsys.models.factors.als import AlsConfig

Point = dict[str, Any]
"""A value by coordinate; those that its choices leave without a meaning are not in it."""

EVENT_WEIGHT = "event_weight."
"""Begins the coordinate of each kind of event."""

_DAY = 86_400

_ONLY_WITH: Mapping[str, tuple[str, Any]] = {
    "user_degree_exponent": ("weighting", "degree"),
    "item_degree_exponent": ("weighting", "degree"),
    "bm25_k1": ("weighting", "bm25"),
    "bm25_b": ("weighting", "bm25"),
    "half_life_days": ("decay", True),
}


@dataclass(frozen=True)
class Range:
    """The numbers from `low` to `high`; where `log`, every factor counts alike, and `low` is above zero."""

    low: float
    high: float
    log: bool = False

    def holds(self, value: float) -> bool:
        """Whether `value` is among them."""
        return self.low <= value <= self.high

    def reaching(self, value: float) -> "Range":
        """With `value` in it; a value that no logarithm takes is left out."""
        if self.log and value <= 0:
            return self
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def around(self, values: Iterable[float]) -> "Range":
        """What lies near the given values, at least one: within a factor of two, or a tenth of the whole."""
        known = list(values)
        if self.log:
            low, high = min(known) / 2, max(known) * 2
        else:
            margin = 0.1 * (self.high - self.low)
            low, high = min(known) - margin, max(known) + margin
        return replace(self, low=max(self.low, low), high=min(self.high, high))


@dataclass(frozen=True)
class Space:
    """`choices`: coordinates of a few values each. `ranges`: numbers."""

    choices: Mapping[str, tuple[Any, ...]]
    ranges: Mapping[str, Range]

    def active(self, chosen: Point) -> dict[str, Range]:
        """The ranges that mean something beside the values `chosen`."""
        return {name: span for name, span in self.ranges.items() if has_meaning(name, chosen)}

    def reaching(self, point: Point) -> "Space":
        """With `point` in it."""
        return replace(
            self, ranges={name: span.reaching(point.get(name, span.low)) for name, span in self.ranges.items()}
        )

    def around(self, points: Sequence[Point]) -> "Space":
        """The same choices, and only numbers that lie near those of `points`."""
        numbers = {name: [point[name] for point in points if name in point] for name in self.ranges}
        near = {
            name: self.ranges[name].around(values) if values else self.ranges[name]
            for name, values in numbers.items()
        }
        return replace(self, ranges=near)


def has_meaning(name: str, chosen: Point) -> bool:
    """Whether the coordinate `name` does anything beside the values `chosen`."""
    if name not in _ONLY_WITH:
        return True
    choice, needed = _ONLY_WITH[name]
    return bool(chosen[choice] == needed)


def model_space() -> Space:
    """The settings of `[model]`; iterations and popularity_exponent are found within each fit."""
    choices = {name: get_args(AlsConfig.model_fields[name].annotation) for name in ("weighting", "start")}
    ranges = {
        "strength": Range(0.5, 200, log=True),
        "penalty": Range(0.05, 30, log=True),
        "user_degree_exponent": Range(0, 1),
        "item_degree_exponent": Range(0, 1),
        "bm25_k1": Range(0.1, 300, log=True),
        "bm25_b": Range(0, 1),
    }
    return Space(choices, ranges)


def with_events(space: Space, events: Interactions) -> Space:
    """`space`, and the weight of each kind of event and the half-life, as far as the log has kinds and times.

    Of the kinds, one keeps its weight: the strength is what all of them have in common.
    Raises ConfigError where there is neither.
    """
    kinds = {EVENT_WEIGHT + kind: Range(0.1, 30, log=True) for kind in tunable_kinds(events)}
    if not kinds and events.timestamp is None:
        raise ConfigError("--tune-events: the log has neither kinds of events (log.event) nor times (log.timestamp)")
    if events.timestamp is None:
        return Space(space.choices, {**space.ranges, **kinds})
    # A half-life so short that the oldest events weigh nothing would take users and items away.
    days = float(events.timestamp.max() - events.timestamp.min()) / _DAY
    half_life = Range(max(1.0, days / 100), max(2.0, 2 * days), log=True)
    return Space({**space.choices, "decay": (True, False)}, {**space.ranges, **kinds, "half_life_days": half_life})


def tunable_kinds(events: Interactions) -> list[str]:
    """The kinds of event that occur, but for the first of them."""
    if events.event is None:
        return []
    return [events.event_names[kind] for kind in np.flatnonzero(np.bincount(events.event))[1:]]
