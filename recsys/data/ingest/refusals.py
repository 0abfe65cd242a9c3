"""Refusals: every reason for which a row is refused, and the refused rows of a batch."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

import numpy as np
from numpy.typing import NDArray

MAX_ID_BYTES = 256
"""Longer ids are refused, because the API does not accept them."""


class Reason(StrEnum):
    """A row that fails several checks is refused once, for the first of them in this order."""

    STRAY_QUOTE = "stray_quote"
    BAD_FIELD_COUNT = "bad_field_count"
    REPEATED_HEADER = "repeated_header"
    LINE_TOO_LONG = "line_too_long"
    BAD_JSON = "bad_json"
    ID_NOT_TEXT = "id_not_text"
    ID_LOST_DIGITS = "id_lost_digits"
    BAD_UTF8 = "bad_utf8"
    MISSING_USER = "missing_user"
    MISSING_ITEM = "missing_item"
    ID_TOO_LONG = "id_too_long"
    MISSING_TIME = "missing_time"
    BAD_TIME = "bad_time"
    TIME_OUT_OF_RANGE = "time_out_of_range"
    IN_THE_FUTURE = "in_the_future"
    MISSING_VALUE = "missing_value"
    BAD_VALUE = "bad_value"
    NON_FINITE_VALUE = "non_finite_value"
    NON_POSITIVE_VALUE = "non_positive_value"
    MISSING_EVENT = "missing_event"
    UNKNOWN_EVENT = "unknown_event"

    @property
    def meaning(self) -> str:
        """What a row refused for this reason looks like, in one line; it names keys of `[log]`."""
        return _MEANINGS[self]


_MEANINGS = {
    Reason.STRAY_QUOTE: (
        "a quote opens a field and does not close it, so the line is left out alone; "
        'if quotes are text in this file, set log.quoting = "none"'
    ),
    Reason.BAD_FIELD_COUNT: "the line has more or fewer fields than the header, or than log.columns names",
    Reason.REPEATED_HEADER: "the line repeats the header, as in files that were joined",
    Reason.LINE_TOO_LONG: "the line is longer than 8 MiB; only its beginning is kept",
    Reason.BAD_JSON: "the line is not one JSON object, or gives a column twice",
    Reason.ID_NOT_TEXT: "an id is neither text nor a whole number",
    Reason.ID_LOST_DIGITS: (
        "an id is a number in exponent form, such as 1.23457E+18, or a float too large for all its digits, so that "
        "different ids look the same; write ids as text or as whole numbers"
    ),
    Reason.BAD_UTF8: (
        "an id or an event is not text in the file's encoding; "
        'if that is not UTF-8, set log.encoding, such as "cp1252"'
    ),
    Reason.MISSING_USER: "the user's id is empty, or one of log.null_ids",
    Reason.MISSING_ITEM: "the item's id is empty, or one of log.null_ids",
    Reason.ID_TOO_LONG: f"an id is longer than {MAX_ID_BYTES} bytes",
    Reason.MISSING_TIME: "the time is empty",
    Reason.BAD_TIME: (
        "the time is not of the form that log.timestamp_format or log.timestamp_unit says; without them it is "
        "ISO 8601 as 2024-05-31T18:30:00Z, or a number of s, ms, us or ns since 1970"
    ),
    Reason.TIME_OUT_OF_RANGE: "the time is before 1990 or after 2099",
    Reason.IN_THE_FUTURE: "the time is later than log.max_future after now",
    Reason.MISSING_VALUE: "the value is empty",
    Reason.BAD_VALUE: "the value is not a number",
    Reason.NON_FINITE_VALUE: "the value is NaN or infinite",
    Reason.NON_POSITIVE_VALUE: 'the value is zero or below; only zero if log.non_positive = "net"',
    Reason.MISSING_EVENT: "the kind of event is empty",
    Reason.UNKNOWN_EVENT: ("the kind of event is not in log.event_weights; name unwanted kinds in log.ignore_events"),
}

_FIRST = 10
"""Rows of each fault that `Refusals.brief` keeps."""

REASONS = tuple(Reason)
"""The reason of each fault number."""

Faults = NDArray[np.uint8]
"""uint8, one per row: the position in REASONS of the reason for its refusal, or NO_FAULT."""

NO_FAULT = np.uint8(255)


def fault(reason: Reason) -> np.uint8:
    """The fault number of a reason."""
    return np.uint8(REASONS.index(reason))


def first_fault(*checks: Faults | None) -> Faults | None:
    """Each row's first fault in the order of `Reason`; None if no row is at fault, in arguments and result."""
    found = [check for check in checks if check is not None]
    if not found:
        return None
    first: Faults = np.minimum.reduce(found)
    return first


def marked(*checks: tuple[NDArray[np.bool_], Reason]) -> Faults | None:
    """Faults of rows by mask: bool (n,) each, in the order of `Reason`. None if no row is marked."""
    found = [np.where(mask, fault(reason), NO_FAULT) for mask, reason in checks if mask.any()]
    return first_fault(*found)


@dataclass(frozen=True, eq=False)
class Refusals:
    """The refused rows of one batch.

    `origin`, `positions`: int64 (m,), as of `RawBatch`. `faults`: uint8 (m,). `rows`: what the first of them held:
    the text of the line, or a mapping of its columns. `more`: further rows by fault number, which are only counted.
    """

    origin: str
    positions: NDArray[np.int64]
    faults: Faults
    rows: tuple[str | dict[str, str | None], ...]
    more: Mapping[int, int] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.positions) + sum(self.more.values())

    def by_fault(self) -> dict[int, int]:
        """The number of rows by fault number."""
        counts = np.bincount(self.faults, minlength=len(REASONS)).tolist()
        return {fault: n for fault, count in enumerate(counts) if (n := count + self.more.get(fault, 0))}

    def brief(self, n_rows: int) -> "Refusals":
        """The same with what messages and the quarantine need: the first `n_rows` rows, and the first of each fault.

        The others are only counted, so that it is small whatever the number of refused rows.
        """
        kept = np.arange(len(self.positions)) < min(n_rows, len(self.rows))
        for fault in np.unique(self.faults):
            kept[np.flatnonzero(self.faults == fault)[:_FIRST]] = True
        rest = np.bincount(self.faults[~kept], minlength=len(REASONS)).tolist()
        rows = tuple(row for row, is_kept in zip(self.rows, kept, strict=False) if is_kept)
        more = {fault: n for fault, n in enumerate(rest) if n}
        return Refusals(self.origin, self.positions[kept], self.faults[kept], rows, more)
