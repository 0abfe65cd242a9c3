"""Space: the coordinates that a search may choose, and the values of each."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from recsys.data.interactions import Interactions
from recsys.data.log_span import LogSpan
from recsys.errors import ConfigError
from recsys.models.algorithm import Bounds

Value = str | int | float | bool
Point = dict[str, Value]
"""A value per coordinate. A coordinate that has no meaning beside the others is not in it."""

EVENT_WEIGHT = "event_weight."
"""The coordinate of a kind of event begins with this."""

_DAY = 86_400

_ONLY_WITH: Mapping[str, tuple[str, Value]] = {
    "user_degree_exponent": ("weighting", "degree"),
    "item_degree_exponent": ("weighting", "degree"),
    "bm25_k1": ("weighting", "bm25"),
    "bm25_b": ("weighting", "bm25"),
    "half_life_days": ("decay", True),
}


@dataclass(frozen=True)
class Space:
    """`choices`: coordinates with a few values each. `ranges`: coordinates that are numbers."""

    choices: Mapping[str, tuple[Value, ...]]
    ranges: Mapping[str, Bounds]

    @property
    def names(self) -> list[str]:
        """All coordinates."""
        return [*self.ranges, *self.choices]

    def active(self, chosen: Point) -> dict[str, Bounds]:
        """The ranges that have a meaning beside the values `chosen`."""
        return {name: bounds for name, bounds in self.ranges.items() if has_meaning(name, chosen)}

    def reaching(self, point: Point) -> "Space":
        """Widened to contain `point`."""
        ranges = {
            name: widened(bounds, float(point[name])) if name in point else bounds
            for name, bounds in self.ranges.items()
        }
        return replace(self, ranges=ranges)

    def around(self, points: Sequence[Point]) -> "Space":
        """The same choices, and numbers near those of `points`."""
        numbers = {name: [float(point[name]) for point in points if name in point] for name in self.ranges}
        ranges = {
            name: narrowed(self.ranges[name], near) if near else self.ranges[name] for name, near in numbers.items()
        }
        return replace(self, ranges=ranges)


def holds(bounds: Bounds, value: float) -> bool:
    """Whether `value` lies within them."""
    return bounds.low <= value <= bounds.high


def widened(bounds: Bounds, value: float) -> Bounds:
    """With `value` inside, unless it has no logarithm and they need one."""
    if bounds.log and value <= 0:
        return bounds
    return replace(bounds, low=min(bounds.low, value), high=max(bounds.high, value))


def narrowed(bounds: Bounds, values: Iterable[float]) -> Bounds:
    """The part near `values`, at least one: within a factor of two if `log`, else within a tenth of the whole."""
    known = list(values)
    if bounds.log:
        low, high = min(known) / 2, max(known) * 2
    else:
        margin = 0.1 * (bounds.high - bounds.low)
        low, high = min(known) - margin, max(known) + margin
    if bounds.whole:
        low, high = np.ceil(low), np.floor(high)
    return replace(bounds, low=max(bounds.low, low), high=min(bounds.high, high))


def has_meaning(name: str, chosen: Point) -> bool:
    """Whether the coordinate `name` changes anything beside the values `chosen`."""
    if name not in _ONLY_WITH:
        return True
    choice, needed = _ONLY_WITH[name]
    return chosen[choice] == needed


def with_events(space: Space, events: Interactions) -> Space:
    """`space`, the weight of each kind of event, and the half-life, as far as the log has kinds and times.

    One of the kinds keeps its weight, because only the ratios of the weights matter beside the strength.
    Raises ConfigError if the log has neither.
    """
    kinds = {EVENT_WEIGHT + kind: Bounds(0.1, 30, log=True) for kind in _tunable_kinds(events)}
    if not kinds and events.timestamp is None:
        raise ConfigError("--tune-events: the log has neither kinds of events (log.event) nor times (log.timestamp)")
    if events.timestamp is None:
        return Space(space.choices, {**space.ranges, **kinds})
    # With a half-life so short that the oldest events weigh nothing, users and items would disappear.
    days = LogSpan.of(events.timestamp).seconds / _DAY
    half_life = Bounds(max(1.0, days / 100), max(2.0, 2 * days), log=True)
    return Space({**space.choices, "decay": (True, False)}, {**space.ranges, **kinds, "half_life_days": half_life})


def _tunable_kinds(events: Interactions) -> list[str]:
    """The kinds of event that occur, except the first of them."""
    if events.event is None:
        return []
    return [events.event_names[kind] for kind in np.flatnonzero(np.bincount(events.event))[1:]]
