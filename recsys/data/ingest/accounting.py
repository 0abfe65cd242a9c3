"""Accounting: how many rows were read, accepted, refused, merged and ignored; the quarantine of the refused ones."""

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import TextIO

from recsys.data.ingest.refusals import REASONS, Reason, Refusals
from recsys.data.ingest.source import EVENT, TIMESTAMP, VALUE
from recsys.data.ingest.time_formats import formats_that_fit
from recsys.data.ingest.timestamps import unit_that_fits
from recsys.errors import DataError, StorageError, TooManyRefusedError
from recsys.forgotten import NOBODY, Forgotten
from recsys.storage import storage_errors

_EXAMPLES = 3
_WRITING = "while refused rows were written"
_DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+\s*")
_SHOWN_CHARACTERS = 60
_COLUMN_AT_FAULT = {
    Reason.BAD_TIME: TIMESTAMP,
    Reason.TIME_OUT_OF_RANGE: TIMESTAMP,
    Reason.IN_THE_FUTURE: TIMESTAMP,
    Reason.BAD_VALUE: VALUE,
    Reason.UNKNOWN_EVENT: EVENT,
}
_KEPT_VALUES = {Reason.UNKNOWN_EVENT: 10}
"""Number of distinct values kept by reason; 1 for every other reason."""


@dataclass(frozen=True)
class RowCounts:
    """Counts of rows: rows_read = accepted + refused + merged + ignored, so that no row is dropped silently.

    `refused`: rows by reason (`recsys.data.ingest.refusals.Reason`), zeros left out. `merged`: rows that repeat an
    accepted one and were merged into it. `ignored`: rows that are left out as the configuration asks, by kind of
    event, or "anonymous" for rows without a user; zeros left out. Raises DataError if the sum does not hold.
    `blank_lines`, `quoted_lines`: lines of text files that hold no row of their own: empty ones, and those that
    continue a row within quotes. `notes`: rows, of any outcome, with an id that is read otherwise than it is
    written, by a sentence such as "user ids such as 7.0 read as 7".
    """

    rows_read: int
    accepted: int
    refused: Mapping[str, int] = field(default_factory=dict)
    merged: int = 0
    ignored: Mapping[str, int] = field(default_factory=dict)
    blank_lines: int = 0
    quoted_lines: int = 0
    notes: Mapping[str, int] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("refused", "ignored", "notes"):
            counts = {str(reason): int(count) for reason, count in getattr(self, name).items() if count}
            object.__setattr__(self, name, MappingProxyType(counts))
        if min(self.rows_read, self.accepted, self.merged, *self.refused.values(), *self.ignored.values()) < 0:
            raise DataError(f"row counts: {self.to_dict()} holds a negative count")
        if self.rows_read != self.accepted + self.n_refused + self.merged + self.n_ignored:
            raise DataError(
                f"row counts: {self.rows_read} rows read, but {self.accepted} accepted + {self.n_refused} refused "
                f"+ {self.merged} merged + {self.n_ignored} ignored = "
                f"{self.accepted + self.n_refused + self.merged + self.n_ignored}"
            )

    @property
    def n_refused(self) -> int:
        """Rows refused for any reason."""
        return sum(self.refused.values())

    @property
    def n_ignored(self) -> int:
        """Rows ignored, of every kind."""
        return sum(self.ignored.values())

    @property
    def wanted(self) -> int:
        """Rows that are meant to count: all but the ignored ones."""
        return self.rows_read - self.n_ignored

    @property
    def refused_share(self) -> float:
        """n_refused / wanted, so that ignored rows do not hide refused ones; 0 if no row is wanted."""
        return self.n_refused / self.wanted if self.wanted else 0.0

    def to_dict(self) -> dict[str, int | dict[str, int]]:
        """The counts as JSON holds them, by field name; lines without a row only if there are any."""
        lines = {"blank_lines": self.blank_lines, "quoted_lines": self.quoted_lines}
        return {
            "rows_read": self.rows_read,
            "accepted": self.accepted,
            "refused": dict(self.refused),
            "merged": self.merged,
            **({"ignored": dict(self.ignored)} if self.ignored else {}),
            **{name: n for name, n in lines.items() if n},
            **({"notes": dict(self.notes)} if self.notes else {}),
        }


def names_forgotten(row: object, forgotten: Forgotten) -> bool:
    """Whether a refused row, as the quarantine writes it, names somebody who was forgotten."""
    if isinstance(row, Mapping):
        return any(names_forgotten(value, forgotten) for value in row.values())
    if isinstance(row, list | tuple):
        return any(names_forgotten(value, forgotten) for value in row)
    return row is not None and forgotten.named_in(str(row))


class Quarantine:
    """Counts refused rows by reason, keeps a few examples of each, and writes the first rows to a file.

    The file holds one JSON object per row, {"source", "position", "reason", "row"}, up to `limit` of them, in the
    order of the log; `position` is the line in a text file, else the row. It is written even if nothing is refused,
    so that no file of an earlier run remains. Use it as a context manager; without a `path` it only counts.
    `section`: of the configuration, whose keys its messages name. A row that names one of `forgotten` in any of its
    fields is counted, and not written.
    """

    def __init__(self, path: Path | None, *, limit: int, section: str = "log", forgotten: Forgotten = NOBODY) -> None:
        self._forgotten = forgotten
        self._path = path
        self._section = section
        self._left = limit
        self._examples: dict[Reason, list[str]] = {}
        self._values = OffendingValues()
        self.counts: Counter[str] = Counter()
        self._file = None if path is None else _opened(path)

    def __enter__(self) -> "Quarantine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None and self._path is not None:
            with _removed_if_refused(self._path):
                self._file.close()

    def add(self, refused: Refusals) -> None:
        """Add the refused rows of the next batch of the log."""
        for number, count in refused.by_fault().items():
            self.counts[REASONS[number]] += count
            self._remember(refused, number)
        self._values.add(refused)
        self._write(refused)

    def _remember(self, refused: Refusals, number: int) -> None:
        places = self._examples.setdefault(REASONS[number], [])
        for position in refused.positions[refused.faults == number][: _EXAMPLES - len(places)]:
            places.append(f"{refused.origin}:{position}")

    def _write(self, refused: Refusals) -> None:
        if self._file is None or self._path is None:
            return
        shown = list(zip(refused.positions.tolist(), refused.faults.tolist(), refused.rows, strict=False))
        kept = shown[: self._left]
        self._left -= len(kept)
        with _removed_if_refused(self._path):
            for position, number, row in kept:
                record = {"source": refused.origin, "position": position, "reason": REASONS[number], "row": row}
                if self._forgotten and names_forgotten(row, self._forgotten):
                    continue
                self._file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def check(self, counts: RowCounts, *, max_share: float) -> None:
        """Raise TooManyRefusedError if `counts` refuses a larger share than `max_share`, saying what and where."""
        if counts.refused_share <= max_share:
            return
        kept = f"\nThe refused rows are in {self._path}." if self._path is not None else ""
        raise TooManyRefusedError(
            f"{counts.n_refused:,} of {counts.wanted:,} rows ({counts.refused_share:.1%}) are refused"
            f"{_beside(counts)}; log.max_refused_share allows {max_share:.1%}:\n{self.summary()}{kept}\n"
            f"Correct the log or the settings of [log]{_higher_share_hint(counts)}."
        )

    def summary(self) -> str:
        """One line per reason: rows, the reason, its meaning, what was found, a few places. Most frequent first."""
        return "\n".join(self._line(Reason(reason), count) for reason, count in self.counts.most_common())

    def mixed_units(self) -> str | None:
        """A sentence about times that are refused and would be times in another unit; None if there are none."""
        n_rows, unit = self.counts[Reason.TIME_OUT_OF_RANGE], self._values.unit_of(Reason.TIME_OUT_OF_RANGE)
        if not n_rows or unit is None:
            return None
        return (
            f"{n_rows:,} rows are refused as {Reason.TIME_OUT_OF_RANGE}, though their first time is one in {unit}: "
            f"the column mixes units of time, as in {', '.join(self._examples[Reason.TIME_OUT_OF_RANGE])}"
        )

    def _line(self, reason: Reason, count: int) -> str:
        meaning = reason.meaning.replace("log.", f"{self._section}.")
        parts = [meaning, self._values.describe(reason), ", ".join(self._examples[reason])]
        return f"  {count:,} x {reason}: {'; '.join(part for part in parts if part)}"


def _beside(counts: RowCounts) -> str:
    return f" ({counts.n_ignored:,} more are ignored)" if counts.n_ignored else ""


def _higher_share_hint(counts: RowCounts) -> str:
    if not counts.accepted:  # If no row is accepted, the settings are wrong, whatever share is allowed.
        return ""
    share = _rounded_up(counts.refused_share)
    return f"; or, if the log is meant to be so, set log.max_refused_share to {share} or more"


def _rounded_up(share: float) -> float:
    return min(1.0, int(share * 100 + 1) / 100)


def _opened(path: Path) -> TextIO:
    with storage_errors(path, doing=_WRITING):
        path.parent.mkdir(parents=True, exist_ok=True)
        return path.open("w", encoding="utf-8")


@contextmanager
def _removed_if_refused(path: Path) -> Iterator[None]:
    """Raise StorageError, and leave no part of the file, if the disk refuses to write it."""
    try:
        with storage_errors(path, doing=_WRITING):
            yield
    except StorageError:
        path.unlink(missing_ok=True)
        raise


class OffendingValues:
    """Values of refused rows in the column at fault, for messages; never the id of a user or an item.

    It keeps the first distinct values per reason: ten unknown kinds of event, one value for any other reason.
    """

    def __init__(self) -> None:
        self._found: dict[Reason, list[str]] = {}

    def add(self, refused: Refusals) -> None:
        """Add the values of the rows whose content `refused` holds."""
        for number, row in zip(refused.faults.tolist(), refused.rows, strict=False):
            reason = REASONS[number]
            if reason in _COLUMN_AT_FAULT and isinstance(row, Mapping):
                self._keep(reason, row[_COLUMN_AT_FAULT[reason]])

    def _keep(self, reason: Reason, value: str | None) -> None:
        found = self._found.setdefault(reason, [])
        if value is not None and len(found) < _KEPT_VALUES.get(reason, 1) and value not in found:
            found.append(value)

    def unit_of(self, reason: Reason) -> str | None:
        """The unit in which the first refused time would be one; None if there is none."""
        found = self._found.get(reason)
        is_time = reason in (Reason.BAD_TIME, Reason.TIME_OUT_OF_RANGE)
        return unit_that_fits(found[0]) if found and is_time else None

    def describe(self, reason: Reason) -> str:
        """Such as "found 'soon'", and the unit that would fit a time; empty if no value was kept."""
        found = self._found.get(reason)
        if not found:
            return ""
        shown = "found " + ", ".join(repr(value[:_SHOWN_CHARACTERS]) for value in found)
        unit = self.unit_of(reason)
        mixed = "if the other rows are right, the column mixes units"
        fits = f', a time if log.timestamp_unit = "{unit}"; {mixed}' if unit is not None else ""
        return shown + fits + _format_hint(reason, found[0]) + _decimal_hint(reason, found[0])


def _format_hint(reason: Reason, value: str) -> str:
    # ISO 8601 text that is out of range needs no format; a day written as 20240531 is read as a number.
    is_candidate = reason is Reason.BAD_TIME or (reason is Reason.TIME_OUT_OF_RANGE and value.isdecimal())
    formats = formats_that_fit(value) if is_candidate else []
    named = " or ".join(f'"{each}"' for each in formats)
    return f", a time if log.timestamp_format = {named}" if named else ""


def _decimal_hint(reason: Reason, value: str) -> str:
    is_number = reason in (Reason.BAD_VALUE, Reason.BAD_TIME) and _DECIMAL_COMMA.fullmatch(value)
    return ', a number if log.decimal = ","' if is_number else ""
