"""Source: what the rows of a log are read from.

Files (`FileSource`) and data frames (`FrameSource`) are two sources. Code above this file does
not depend on which one is read.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.config import LogSchema
from recsys.data.ingest.refusals import Faults
from recsys.errors import DataError
from recsys.progress import Progress, silent
from recsys.suggestions import nearest_name

USER, ITEM, TIMESTAMP, EVENT, VALUE = "user", "item", "timestamp", "event", "value"
"""The columns of a log, by the keys of `[log]` that name them."""

LONGEST_TEXT = 500
"""Characters of a refused value, and bytes of a refused line, that messages and the quarantine show."""

ITEM_ID = "id"
"""The column of a catalogue's ids, by the key of `[items]` that names it."""


@dataclass(frozen=True)
class Columns:
    """The columns to read: `names` maps a key of the configuration's `section` to the name of its column.

    `keep`: up to this many rows per batch that cannot be split into columns are kept as text, for the quarantine.
    `in_path`: further columns, whose values are in the names of the folders of a file (None is a null).
    """

    section: str
    names: Mapping[str, str]
    keep: int
    in_path: Mapping[str, bytes | None] = field(default_factory=dict)

    @staticmethod
    def of(log: LogSchema) -> "Columns":
        """The columns that a log's configuration names."""
        keys = (USER, ITEM, TIMESTAMP, EVENT, VALUE)
        names = {key: getattr(log, key) for key in keys if getattr(log, key) is not None}
        return Columns("log", names, log.quarantine_rows)

    def places(self, origin: str, found: Sequence[str], *, advice: str = "") -> dict[str, int]:
        """Position in `found` of the column of each key; white space around a name in `found` is ignored.

        A key whose column is in the path only has none. Raises DataError if a column is missing or its name occurs
        more than once; `origin` names the source, and `advice` ends the message.
        """
        missing = set(self.names.values()).difference(found)
        found = [name.strip() if name.strip() in missing else name for name in found]
        in_file = {key: name for key, name in self.names.items() if name in found or name not in self.in_path}
        if not in_file:
            raise DataError(f"{origin}: none of its columns is read; all are in the names of its folders")
        for key, name in in_file.items():
            if found.count(name) != 1:
                problem = f"no column {name!r}" if name not in found else f"more than one column {name!r}"
                hint = _hint(name, [*found, *self.in_path], unsplit=len(found) == 1 and advice != "")
                raise DataError(f"{origin}: {problem} ({self.section}.{key}){hint}{advice}")
        return {key: found.index(name) for key, name in in_file.items()}


def _hint(name: str, found: Sequence[str], *, unsplit: bool) -> str:
    close = None if unsplit else nearest_name(name, found)
    nearest = f"; did you mean {close!r}?" if close not in (None, name) else ""
    shown = ", ".join(repr(column[:60]) for column in found[:40]) + (", ..." if len(found) > 40 else "")
    return f"{nearest}; columns found: {shown}"


@dataclass(frozen=True)
class LineCounts:
    """Lines of a text that hold no row of their own.

    `blank`: empty lines. `quoted`: line ends within quotes. `longest`: the line where the row that spans most lines
    starts, and how many it spans; None if every row is one line. `in_quotes`: ids and other values that are in
    quotes, although quotes are text in this file.
    """

    blank: int = 0
    quoted: int = 0
    longest: tuple[int, int] | None = None
    in_quotes: int = 0


ONE_LINE_PER_ROW = LineCounts()


@dataclass(frozen=True, eq=False)
class RawBatch:
    """Rows as their source holds them, not yet checked.

    `origin`: the name of the source, or of its file, in messages about a row. `rows`: pyarrow RecordBatch (n
    rows), one column of any type per key of `Columns`. `positions`: int64 (n,), increasing: the line in a text file
    (the header is line 1), else the row, counted from 1. `faults`: reasons found while parsing (the columns of
    such a row are null); `texts`: the text of the first such rows, by their place in the batch. `lines`: of a text.
    `decimal`: the decimal sign of numbers in columns of text. `names`: of the columns in the source, by key.
    `skip_anonymous`: rows without a user are left out and counted, whatever the configuration says.
    """

    origin: str
    rows: pa.RecordBatch
    positions: NDArray[np.int64]
    faults: Faults | None = None
    texts: Mapping[int, str] = field(default_factory=dict)
    lines: LineCounts = ONE_LINE_PER_ROW
    decimal: str = "."
    names: Mapping[str, str] = field(default_factory=dict)
    skip_anonymous: bool = False

    @staticmethod
    def of(
        origin: str,
        columns: Mapping[str, pa.Array],
        positions: NDArray[np.int64],
        *,
        faults: Faults | None = None,
        texts: Mapping[int, str] | None = None,
    ) -> "RawBatch":
        """The batch of `columns`, by the keys of `Columns`."""
        rows = pa.RecordBatch.from_arrays(list(columns.values()), names=list(columns))
        return RawBatch(origin, rows, positions, faults, texts or {})

    @staticmethod
    def numbered(origin: str, batch: pa.RecordBatch, places: Mapping[str, int], *, first: int) -> "RawBatch":
        """The rows of a RecordBatch that has the column names of the source, numbered from `first`.

        `places`: as `Columns.places` gives them for the columns of `batch`.
        """
        columns = {key: batch.column(place) for key, place in places.items()}
        positions = np.arange(first, first + len(batch), dtype=np.int64)
        names = {key: batch.schema.field(place).name for key, place in places.items()}
        return replace(RawBatch.of(origin, columns, positions), names=names)

    def __len__(self) -> int:
        return len(self.positions)

    def column(self, key: str) -> pa.Array | None:
        """The column of a key; None if the log does not have it."""
        return self.rows.column(key) if key in self.rows.schema.names else None

    def shown(self, row: int) -> str | dict[str, str | None]:
        """What one row held, for messages: its text, or its columns."""
        if row in self.texts:
            return self.texts[row]
        return {key: _shown(_value(self.rows.column(key)[row])) for key in self.rows.schema.names}


def _value(scalar: pa.Scalar) -> object:
    """The value of a scalar; text as bytes, because a column of text may hold some that is not UTF-8."""
    if pa.types.is_dictionary(scalar.type):
        scalar = scalar.value
    if pa.types.is_string(scalar.type) or pa.types.is_large_string(scalar.type):
        return None if not scalar.is_valid else scalar.as_buffer().to_pybytes()
    try:
        return scalar.as_py()
    except (OverflowError, ValueError):  # a time that Python does not have, such as infinity
        return scalar.value


def _shown(value: object) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return None if value is None else str(value)[:LONGEST_TEXT]


Parse = Callable[[], RawBatch]
"""Parses one batch, in any thread."""

Batches = Iterator[Parse]
"""The batches of a source in its order."""


class Source(Protocol):
    """What the rows of a log are read from.

    A new source yields its rows as Arrow record batches (`RawBatch.numbered`) and is passed to `read_log`.
    """

    @property
    def description(self) -> str:
        """Its name in messages, such as its first file."""

    def fingerprint(self) -> str:
        """sha256, in hexadecimal: equal for equal content. Raises DataError if the source cannot be read."""

    def estimate_rows(self) -> int:
        """About how many rows it has, refused ones included, without reading them all. Raises as `fingerprint`."""

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """Its rows in order, each batch small enough that a few fit in memory at once.

        `progress` is called with the stage "read" and the amount read, in bytes or rows.
        Raises DataError if a column is missing, or the source cannot be read or is damaged.
        """
