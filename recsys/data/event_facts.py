"""EventFacts: the counts of a log that its profile and its join with a catalogue are made of."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions


@dataclass(frozen=True, eq=False)
class EventFacts:
    """What the events of a log come to.

    `per_item`: int64 (n_items,), events of each of `items`. `n_users`: users with an event. `per_kind`: events by
    kind, empty if the log has no kinds. `silences`: by kind, seconds from its newest event to the log's end, and the
    events in between; empty without times.
    """

    items: IdMap
    per_item: NDArray[np.int64]
    n_events: int
    n_users: int
    per_kind: Mapping[str, int] = field(default_factory=dict)
    silences: Mapping[str, tuple[int, int]] = field(default_factory=dict)

    @staticmethod
    def of(events: Interactions, *, newest: int | None) -> "EventFacts":
        """Those of `events`, of a log that ends at `newest`, UTC seconds, or has no times."""
        return EventFacts(
            items=events.items,
            per_item=np.bincount(events.item_idx, minlength=len(events.items)),
            n_events=len(events),
            n_users=int(np.count_nonzero(np.bincount(events.user_idx, minlength=len(events.users)))),
            per_kind=_per_kind(events),
            silences={} if newest is None else _silences(events, newest),
        )


def _per_kind(events: Interactions) -> dict[str, int]:
    if events.event is None or len(events) == 0:
        return {}
    counts = np.bincount(events.event, minlength=len(events.event_names))
    return dict(zip(events.event_names, counts.tolist(), strict=True))


def _silences(events: Interactions, newest: int) -> dict[str, tuple[int, int]]:
    if events.event is None or events.timestamp is None:
        return {}
    last = newest_of_kinds(events)
    return silences_of(events.event_names, last, events_after(events.timestamp, last, newest), newest=newest)


def newest_of_kinds(events: Interactions) -> NDArray[np.int64]:
    """int64 (n_kinds,): UTC seconds of the newest event of each kind, 0 if there is none."""
    last = np.zeros(len(events.event_names), np.int64)
    if events.event is not None and events.timestamp is not None:
        np.maximum.at(last, events.event, events.timestamp)
    return last


def events_after(timestamp: NDArray[np.int64], last: NDArray[np.int64], newest: int) -> NDArray[np.int64]:
    """int64 (n_kinds,): events after each time of `last`, up to `newest`; later ones are of stray clocks."""
    recent = np.sort(timestamp[(timestamp > last.min(initial=newest)) & (timestamp <= newest)])
    after: NDArray[np.int64] = len(recent) - np.searchsorted(recent, last, side="right")
    return after


def silences_of(
    names: tuple[str, ...], last: NDArray[np.int64], after: NDArray[np.int64], *, newest: int
) -> dict[str, tuple[int, int]]:
    """By kind: seconds from its newest event, at `last`, to `newest`, and the number of events `after` it."""
    silences = zip(names, last.tolist(), after.tolist(), strict=True)
    return {name: (max(newest - at, 0), max(n, 0)) for name, at, n in silences}
