"""EventWeights: how much the events of a log count in training, in a split and in fold-in."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Literal

import numpy as np

from recsys.config import LogSchema, PrepareConfig
from recsys.data.arrays import Floats, Indices, Seconds
from recsys.data.interactions import Interactions
from recsys.data.log_span import end_of_log
from recsys.data.pairs import Pairs, merge_events
from recsys.errors import ConfigError, DataError

_DAY = 86_400.0

History = tuple[Indices, Floats]
"""One user's items: positions int32 (m,), ascending, and weights float32 (m,), above zero."""


@dataclass(frozen=True)
class EventWeights:
    """How events become the weights of (user, item) pairs.

    weight = kinds[event] * value * 0.5 ** (max(0, now - timestamp) / half-life), merged per pair as `repeats` says

    `kinds`: weight by kind of event; if it is empty, every kind counts 1. `half_life_days`: None for no decay. `now`:
    UTC seconds at which decay starts; None for the end of the events that are weighed. Newer events count in full.
    `net`: values below zero are returns, subtracted from the pair's other events. `deduplicate`: events equal in
    user, item, kind and time count once. `has_times`, `has_values`: whether the log has these columns. `seen_kinds`:
    the kinds of event that make an item seen; if it is empty, every kind does. `ignored_kinds`: those left out.
    Raises ConfigError if `net` is set and `repeats` is not "sum".
    """

    kinds: Mapping[str, float] = field(default_factory=dict)
    half_life_days: float | None = None
    repeats: Literal["sum", "max", "last"] = "sum"
    net: bool = False
    deduplicate: bool = False
    has_times: bool = True
    has_values: bool = True
    now: int | None = None
    seen_kinds: tuple[str, ...] = ()
    ignored_kinds: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "kinds", MappingProxyType(dict(self.kinds)))
        if self.net and self.repeats != "sum":
            raise ConfigError(f'log.non_positive = "net": needs prepare.repeats = "sum", got {self.repeats!r}')

    @staticmethod
    def of(log: LogSchema, prepare: PrepareConfig, *, now: int | None = None) -> "EventWeights":
        """The weights that a configuration asks for."""
        return EventWeights(
            kinds=log.weighed_kinds,
            half_life_days=prepare.half_life_days,
            repeats=prepare.repeats,
            net=log.non_positive == "net",
            deduplicate=prepare.deduplicate,
            has_times=log.timestamp is not None,
            has_values=log.value is not None,
            now=now,
            seen_kinds=log.seen_events,
            ignored_kinds=log.ignored_kinds,
        )

    def at(self, now: int | None) -> "EventWeights":
        """The same weights with decay that starts at `now`, UTC seconds."""
        return replace(self, now=now)

    def weigh(self, events: Interactions) -> Floats:
        """float32 (n,): the weight of each event, before repeats are merged.

        Raises ConfigError if a column that the weights need is missing, DataError for a kind without a weight.
        """
        weight = events.value.copy()
        if self.kinds:
            weight *= _kind_weights(events, self.kinds)
        if self.half_life_days is not None:
            weight *= decay(_timestamps(events), self.half_life_days, self.now)
        return weight

    def merge(self, events: Interactions) -> Pairs:
        """Distinct pairs with their weights, which returns or decay may bring to zero or below. Raises as `weigh`."""
        return merge_events(events, self.weigh(events), self.repeats)

    def combine(self, stored: History, new: History) -> History:
        """One history from a stored one and the weights of later events (at or below zero for returned items).

        A new weight is added to the stored one, taken if it is larger, or replaces it, as `repeats` says. Items whose
        weight ends at or below zero are left out.
        """
        weights: dict[int, float] = dict(zip(stored[0].tolist(), stored[1].tolist(), strict=True))
        for item, weight in zip(new[0].tolist(), new[1].tolist(), strict=True):
            weights[item] = _COMBINE[self.repeats](weights.get(item, 0.0), weight)
        kept = sorted(item for item, weight in weights.items() if np.float32(weight) > 0)
        return np.array(kept, np.int32), np.array([weights[item] for item in kept], np.float32)


_COMBINE: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {"sum": lambda stored, new: stored + new, "max": max, "last": lambda stored, new: new}
)


def _kind_weights(events: Interactions, kinds: Mapping[str, float]) -> Floats:
    if events.event is None:
        raise ConfigError("log.event_weights: given, but the events have no kind; set log.event to its column")
    used = np.flatnonzero(np.bincount(events.event, minlength=len(events.event_names)))
    missing = [events.event_names[kind] for kind in used if events.event_names[kind] not in kinds]
    if missing:
        raise DataError(f"events of kind {missing[0]!r}: log.event_weights names {', '.join(kinds)} only")
    table = np.array([kinds.get(name, 0.0) for name in events.event_names], np.float32)
    return table[events.event]


def _timestamps(events: Interactions) -> Seconds:
    if events.timestamp is None:
        raise ConfigError("prepare.half_life_days: given, but the events have no time; set log.timestamp")
    return events.timestamp


def decay(timestamp: Seconds, half_life_days: float, now: int | None) -> Floats:
    """float32 (n,): 0.5 ** (age / half-life) of events at `timestamp`, int64 (n,); `now`: None for the newest."""
    if now is None:
        now = end_of_log(timestamp) if len(timestamp) else 0
    halvings = np.maximum(now - timestamp, 0).astype(np.float32)
    halvings /= np.float32(-half_life_days * _DAY)
    with np.errstate(under="ignore"):
        return np.exp2(halvings, out=halvings)
