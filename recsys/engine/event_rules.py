"""EventRules: which events the next night will take, known when they come."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np

from recsys.artifacts.manifest import Manifest
from recsys.config import NULL_IDS, LogSchema
from recsys.data.ingest.timestamps import EARLIEST, LATEST
from recsys.engine.event_history import log_of, weights_of
from recsys.engine.ids import MAX_ID_BYTES
from recsys.engine.question import MAX_VALUE

Refusal: TypeAlias = Literal[
    "missing_user",
    "missing_item",
    "id_too_long",
    "id_lost_digits",
    "bad_utf8",
    "time_out_of_range",
    "in_the_future",
    "value_out_of_range",
    "non_positive_value",
    "unknown_event",
    "forgotten",
]
"""Why an event is refused; where the log has the same reason, by the same name."""

_INVISIBLE = "".join(chr(code) for code in range(0x3001) if chr(code).isspace()) + "\u200b\u2060\ufeff"
_LOST_DIGITS = re.compile(r"[+-]?(\d{1,3}([.,]\d+)?[eE]\+\d{2,3}|\d[.,]\d+[eE]\d{1,3})", re.ASCII)
_MAX_FUTURE = LogSchema.model_fields["max_future"].default


@dataclass(frozen=True)
class EventRules:
    """The checks of a log, for events that come one by one.

    `kinds`: the known kinds of event, ignored ones among them, None for all. `ignored`: those that the log leaves
    out. `has_values`: whether values count; then they are above zero, with `net` other than zero. `max_future`:
    seconds by which an event may be ahead of the clock. `null_ids`: spellings of a missing id.
    """

    kinds: Collection[str] | None = None
    ignored: frozenset[str] = frozenset()
    has_values: bool = False
    net: bool = False
    max_future: float = _MAX_FUTURE
    null_ids: frozenset[str] = frozenset(NULL_IDS)

    @staticmethod
    def of(manifest: Manifest) -> "EventRules":
        """Those of the log of a version. Raises ArtifactError if this release does not know its keys."""
        weights = weights_of(manifest)
        log = log_of(manifest)
        return EventRules(
            kinds=frozenset(weights.kinds) | weights.ignored_kinds if weights.kinds else None,
            ignored=weights.ignored_kinds,
            has_values=weights.has_values,
            net=weights.net,
            max_future=log.max_future,
            null_ids=frozenset(log.null_ids),
        )

    def refusal_of_id(self, external_id: str, missing: Literal["missing_user", "missing_item"]) -> Refusal | None:
        """Why no row of a log could have this user or item."""
        if (refusal := refusal_of_text(external_id)) is not None:
            return refusal
        bare = external_id.strip() if external_id.isascii() else external_id.strip(_INVISIBLE)
        if not bare or bare in self.null_ids:
            return missing
        lost = ("e" in external_id or "E" in external_id) and _LOST_DIGITS.fullmatch(external_id)
        return "id_lost_digits" if lost else None

    def refusal_of_facts(self, event: str | None, value: float, timestamp: float, *, now: float) -> Refusal | None:
        """Why no row of a log could say this. `timestamp`, `now`: UTC seconds."""
        if not EARLIEST <= timestamp < LATEST:
            return "time_out_of_range"
        if int(timestamp) > int(now) + self.max_future:
            return "in_the_future"
        if event is not None and (refusal := self._refusal_of_kind(event)) is not None:
            return refusal
        if not -MAX_VALUE <= value <= MAX_VALUE:
            return "value_out_of_range"
        return "non_positive_value" if self.has_values and self._is_refused(value) else None

    def counts(self, event: str | None, value: float) -> bool:
        """Whether a kept event is one that the version can fold in: of a kind that it weighs, with a usable value."""
        if event is not None and (event in self.ignored or (self.kinds is not None and event not in self.kinds)):
            return False
        return not (self.has_values and self._is_refused(value))

    def _refusal_of_kind(self, event: str) -> Refusal | None:
        if (refusal := refusal_of_text(event)) is not None:
            return refusal
        known = bool(event.strip()) if self.kinds is None else event in self.kinds
        return None if known else "unknown_event"

    def _is_refused(self, value: float) -> bool:
        single = value if abs(value) > 1e-30 else float(np.float32(value))  # as the log's values are float32
        return single == 0 if self.net else single <= 0


def refusal_of_text(text: str) -> Refusal | None:
    """Why a text cannot be kept: too long, or with characters that UTF-8 or a database cannot hold."""
    try:
        size = len(text) if text.isascii() else len(text.encode("utf-8"))
    except UnicodeEncodeError:
        return "bad_utf8"
    if size > MAX_ID_BYTES:
        return "id_too_long"
    return "bad_utf8" if "\0" in text else None
