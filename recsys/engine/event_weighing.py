"""How much events count that are told to a version: as much as they would have in its log."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pydantic import ValidationError

from recsys.artifacts.manifest import NEWEST_EVENT, Manifest
from recsys.config import PrepareConfig
from recsys.data.arrays import Floats, Indices, Seconds
from recsys.data.event_weights import weigh_events
from recsys.data.id_map import IdMap
from recsys.data.ingest.deduplication import first_of_alike
from recsys.data.interactions import Interactions
from recsys.data.pairs import merge_events
from recsys.engine.events import Event, check_events
from recsys.errors import ArtifactError, InvalidRequestError


@dataclass(frozen=True, eq=False)
class WeighedEvents:
    """What events come to.

    `item_idx`: int32 (m,), the known items among them, ascending. `weight`: float32 (m,), zero or below where
    nothing is left (returned, or decayed away). `unknown_items`: ids, each once, in the order in which they came.
    """

    item_idx: Indices
    weight: Floats
    unknown_items: tuple[str, ...] = ()


@dataclass(frozen=True)
class EventWeighing:
    """How `prepare` weighed the events of a version's log.

    `prepare`: half-life, repeats, duplicates. `kinds`: weight by kind of event, empty where all count alike. `net`:
    whether values below zero are returns. `timed`, `valued`: whether the log has times and values. `now`: UTC
    seconds, where decay starts: the newest event of the log; None where the manifest does not tell.
    """

    prepare: PrepareConfig
    kinds: Mapping[str, float]
    net: bool
    timed: bool
    valued: bool
    now: int | None

    @staticmethod
    def of(manifest: Manifest) -> "EventWeighing":
        """As the manifest's configuration says. Raises ArtifactError where this release does not know its keys."""
        log, newest = _section(manifest, "log"), manifest.log.get(NEWEST_EVENT)
        try:
            prepare = PrepareConfig.model_validate(_section(manifest, "prepare"))
        except ValidationError as error:
            raise ArtifactError(f"manifest: config.prepare: {error}") from error
        return EventWeighing(
            prepare=prepare,
            kinds=MappingProxyType(dict(log.get("event_weights") or {})),
            net=log.get("non_positive") == "net",
            timed=log.get("timestamp") is not None,
            valued=log.get("value") is not None,
            now=newest if isinstance(newest, int) else None,
        )

    def weigh(self, events: Sequence[Event], items: IdMap) -> WeighedEvents:
        """Weigh and merge `events` as `prepare` did the rows of one user.

        Parts that the log of this version does not have are ignored: kinds, values, times. An event without a kind
        counts as the lightest kind; one without a time has just happened. Decay starts at the newest event of the
        log, as it did in training, and what is newer counts in full. Where the manifest does not tell when that was,
        it starts at the newest of `events`. Unknown items count for nothing, and are named.
        Raises InvalidRequestError for a kind without a weight, for a value that `prepare` refuses (not above zero;
        zero alone where values below are returns), and for numbers and ids out of bounds.
        """
        self._check(events)
        positions, known = items.encode([event.item_id for event in events])
        unknown = [event.item_id for event, is_known in zip(events, known, strict=True) if not is_known]
        rows = self._rows(
            [event for event, is_known in zip(events, known, strict=True) if is_known], positions, items
        )
        weight = weigh_events(rows, self.prepare, event_weights=self.kinds, now=self.now)
        pairs = merge_events(rows, weight, self.prepare.repeats)
        return WeighedEvents(pairs.item_idx, pairs.weight, tuple(dict.fromkeys(unknown)))

    def merge(self, old: tuple[Indices, Floats], new: WeighedEvents) -> tuple[Indices, Floats]:
        """One history of what is stored of a user and of what came since; nothing at or below zero stays in it.

        `old`: item positions int32 (m,), ascending, and weights float32 (m,). A new weight is added to the old one,
        is taken where it is larger, or takes its place, as `prepare.repeats` says. Returns the same of both together.
        """
        weights: dict[int, float] = dict(zip(old[0].tolist(), old[1].tolist(), strict=True))
        for item, weight in zip(new.item_idx.tolist(), new.weight.tolist(), strict=True):
            weights[item] = _TOGETHER[self.prepare.repeats](weights.get(item, 0.0), weight)
        kept = sorted(item for item, weight in weights.items() if np.float32(weight) > 0)
        return np.array(kept, np.int32), np.array([weights[item] for item in kept], np.float32)

    def _check(self, events: Sequence[Event]) -> None:
        check_events(events)
        for at, event in enumerate(events):
            if self.kinds and event.event is not None and event.event not in self.kinds:
                raise InvalidRequestError(f"events.{at}.event: expected one of {', '.join(self.kinds)}")
            if self.valued and _refused(np.float32(event.value), net=self.net):
                wanted = "other than zero" if self.net else "above zero"
                raise InvalidRequestError(f"events.{at}.value: expected {wanted}")

    def _rows(self, events: Sequence[Event], item_idx: Indices, items: IdMap) -> Interactions:
        """The events as `prepare` sees one user's, without the repeats that it leaves out."""
        values = [event.value for event in events] if self.valued else [1.0] * len(events)
        rows = Interactions(
            users=_SOMEBODY,
            items=items,
            user_idx=np.zeros(len(events), np.int32),
            item_idx=item_idx,
            value=np.array(values, np.float32),
            timestamp=self._times(events) if self.timed else None,
            event=self._kind_of_each(events) if self.kinds else None,
            event_names=tuple(self.kinds),
        )
        if not self.prepare.deduplicate:
            return rows
        just_happened = [self.timed and event.timestamp is None for event in events]  # two of these are two
        return rows.select(first_of_alike(rows) | np.array(just_happened, np.bool_))

    def _times(self, events: Sequence[Event]) -> Seconds:
        told = [event.timestamp for event in events if event.timestamp is not None]
        latest = max((*told, self.now or 0))
        times = [latest if event.timestamp is None else event.timestamp for event in events]
        return np.array(times, np.float64).astype(np.int64)

    def _kind_of_each(self, events: Sequence[Event]) -> NDArray[np.int8]:
        place = {name: at for at, name in enumerate(self.kinds)}
        lightest = min(self.kinds, key=self.kinds.__getitem__)
        return np.array([place[event.event or lightest] for event in events], np.int8)


def _refused(value: np.float32, *, net: bool) -> bool:
    return bool(value == 0 if net else value <= 0)


def _section(manifest: Manifest, name: str) -> dict[str, Any]:
    section = manifest.config.get(name)
    return section if isinstance(section, dict) else {}


# Not `IdMap.of`: to make an array of Python strings pyarrow imports pandas, a fifth of the time to start the service.
_SOMEBODY = IdMap(pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, 8], np.int32)), pa.py_buffer(b"somebody")))

_TOGETHER: Mapping[str, Callable[[float, float], float]] = MappingProxyType(
    {"sum": lambda old, new: old + new, "max": max, "last": lambda old, new: new}
)
