"""How much one event counts: its kind, its value and its age."""

from collections.abc import Mapping

import numpy as np

from recsys.config import PrepareConfig
from recsys.data.arrays import Floats, Seconds
from recsys.data.interactions import Interactions
from recsys.errors import ConfigError, DataError

_DAY = 86_400.0
_LONG_AGO = np.iinfo(np.int64).min


def weigh_events(
    events: Interactions, prepare: PrepareConfig, *, event_weights: Mapping[str, float], now: int | None = None
) -> Floats:
    """float32 (n,): event weight * value * 0.5 ** (age / half-life), age = now - timestamp.

    `event_weights`: by kind of event; where it is empty every kind counts 1. `now`: UTC seconds, default the newest
    event; what is newer counts in full. Without `prepare.half_life_days` nothing decays.
    Raises ConfigError where a column that the settings need is missing, DataError for a kind without a weight.
    """
    weight = events.value.copy()
    if event_weights:
        weight *= _kind_weights(events, event_weights)
    if prepare.half_life_days is not None:
        weight *= _decay(_timestamps(events), prepare.half_life_days, now)
    return weight


def _kind_weights(events: Interactions, event_weights: Mapping[str, float]) -> Floats:
    if events.event is None:
        raise ConfigError("log.event_weights: given, but the events have no kind; set log.event to its column")
    used = np.flatnonzero(np.bincount(events.event, minlength=len(events.event_names)))
    missing = [events.event_names[kind] for kind in used if events.event_names[kind] not in event_weights]
    if missing:
        raise DataError(f"events of kind {missing[0]!r}: log.event_weights names {', '.join(event_weights)} only")
    table = np.array([event_weights.get(name, 0.0) for name in events.event_names], np.float32)
    return table[events.event]


def _timestamps(events: Interactions) -> Seconds:
    if events.timestamp is None:
        raise ConfigError("prepare.half_life_days: given, but the events have no time; set log.timestamp")
    return events.timestamp


def _decay(timestamp: Seconds, half_life_days: float, now: int | None) -> Floats:
    if now is None:
        now = int(timestamp.max(initial=_LONG_AGO))
    halvings = np.maximum(now - timestamp, 0).astype(np.float32)
    halvings /= np.float32(-half_life_days * _DAY)
    with np.errstate(under="ignore"):
        return np.exp2(halvings, out=halvings)
