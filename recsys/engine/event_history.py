"""EventHistory: what the events of a question come to, weighed as the job weighed the log of the version."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import JsonValue, ValidationError

from recsys.artifacts.manifest import NEWEST_EVENT, Manifest
from recsys.config import LogSchema, PrepareConfig
from recsys.data.arrays import Floats, Indices, Seconds
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.pairs import first_of_equal_rows
from recsys.engine.question import Event, check_events
from recsys.errors import ArtifactError, InvalidRequestError
from recsys.validation_errors import explained


@dataclass(frozen=True, eq=False)
class EventHistory:
    """The weights of the items of some events.

    `item_idx`: int32 (m,), the known items, ascending. `weight`: float32 (m,), zero or below if nothing is left
    (returned, or decayed away). `seen_idx`: int32 (s,), ascending, the items that lists leave out. `unknown_items`:
    ids, each once, in the order in which they came. `n_ignored`: events of kinds that the log leaves out.
    """

    item_idx: Indices
    weight: Floats
    seen_idx: Indices
    unknown_items: tuple[str, ...] = ()
    n_ignored: int = 0


def weights_of(manifest: Manifest) -> EventWeights:
    """How the job weighed the log of a version; decay starts at the newest event of that log.

    A manifest without settings means the defaults. Raises ArtifactError if this release does not know its keys.
    """
    newest = manifest.log.get(NEWEST_EVENT)
    try:
        prepare = PrepareConfig.model_validate(_section(manifest, "prepare"))
    except ValidationError as error:
        raise ArtifactError(f"manifest: config.prepare: {explained(error)}") from error
    return EventWeights.of(log_of(manifest), prepare, now=newest if isinstance(newest, int) else None)


def log_of(manifest: Manifest) -> LogSchema:
    """What the columns of a version's log mean. Raises ArtifactError if this release does not know its keys."""
    log = {key: value for key, value in _section(manifest, "log").items() if key in LogSchema.model_fields}
    try:
        return LogSchema.model_validate(log)
    except ValidationError as error:
        raise ArtifactError(f"manifest: config.log: {explained(error)}") from error


def weigh(events: Sequence[Event], items: IdMap, weights: EventWeights) -> EventHistory:
    """Weigh and merge `events` as `prepare` did the rows of one user.

    Parts that the version's log does not have are ignored: kinds, values, times. An event without a kind counts as
    the lightest kind; one without a time has just happened. Unknown items have no weight, and are named. Events of
    kinds that the log ignores are left out. Only the kinds in `weights.seen_kinds`, if there are any, make items
    seen. Raises InvalidRequestError for a kind without a weight, for a value that `prepare` refuses (not above zero;
    only zero if values below zero are returns), and for numbers and ids out of bounds.
    """
    _check(events, weights)
    counted = [event for event in events if event.event not in weights.ignored_kinds]
    positions, known = items.encode([event.item_id for event in counted])
    unknown = [event.item_id for event, is_known in zip(counted, known, strict=True) if not is_known]
    found = [event for event, is_known in zip(counted, known, strict=True) if is_known]
    pairs = weights.merge(_rows(found, positions, items, weights=weights))
    seen = np.array([makes_seen(event, weights) for event in found], np.bool_)
    return EventHistory(
        pairs.item_idx,
        pairs.weight,
        np.unique(positions[seen]),
        tuple(dict.fromkeys(unknown)),
        len(events) - len(counted),
    )


def makes_seen(event: Event, weights: EventWeights) -> bool:
    """Whether lists leave out the item of `event`.

    One without a kind counts as the lightest kind; if kinds have no weights, it makes its item seen.
    """
    kind = event.event or min(weights.kinds, key=weights.kinds.__getitem__, default=None)
    return not weights.seen_kinds or kind is None or kind in weights.seen_kinds


def _check(events: Sequence[Event], weights: EventWeights) -> None:
    check_events(events)
    for at, event in enumerate(events):
        if event.event in weights.ignored_kinds:
            continue
        if weights.kinds and event.event is not None and event.event not in weights.kinds:
            raise InvalidRequestError(f"events.{at}.event: expected one of {', '.join(weights.kinds)}")
        if weights.has_values and _is_refused(np.float32(event.value), net=weights.net):
            expected = "other than zero" if weights.net else "above zero"
            raise InvalidRequestError(f"events.{at}.value: expected {expected}")


def _is_refused(value: np.float32, *, net: bool) -> bool:
    return bool(value == 0 if net else value <= 0)


def _rows(events: Sequence[Event], item_idx: Indices, items: IdMap, *, weights: EventWeights) -> Interactions:
    """The events as rows of one user, without the repeats that `prepare` leaves out."""
    values = [event.value for event in events] if weights.has_values else [1.0] * len(events)
    rows = Interactions(
        users=_ONE_USER,
        items=items,
        user_idx=np.zeros(len(events), np.int32),
        item_idx=item_idx,
        value=np.array(values, np.float32),
        timestamp=_times(events, weights.now) if weights.has_times else None,
        event=_kind_codes(events, weights.kinds) if weights.kinds else None,
        event_names=tuple(weights.kinds),
    )
    if not weights.deduplicate:
        return rows
    # Two events without a time are two, although both get the latest time.
    without_time = [weights.has_times and event.timestamp is None for event in events]
    return rows.select(first_of_equal_rows(rows) | np.array(without_time, np.bool_))


def _times(events: Sequence[Event], now: int | None) -> Seconds:
    given = [event.timestamp for event in events if event.timestamp is not None]
    latest = max((*given, now or 0))
    times = [latest if event.timestamp is None else event.timestamp for event in events]
    return np.array(times, np.float64).astype(np.int64)


def _kind_codes(events: Sequence[Event], kinds: Mapping[str, float]) -> NDArray[np.int8]:
    code = {name: at for at, name in enumerate(kinds)}
    lightest = min(kinds, key=kinds.__getitem__)
    return np.array([code[event.event or lightest] for event in events], np.int8)


def _section(manifest: Manifest, name: str) -> dict[str, JsonValue]:
    section = manifest.config.get(name)
    return section if isinstance(section, dict) else {}


# Not `IdMap.of`: to make an array of Python strings pyarrow imports pandas, a fifth of the time to start the service.
_ONE_USER = IdMap(pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 4], np.int32)), pa.py_buffer(b"user")))
