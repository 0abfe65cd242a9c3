"""RawRows: a block of rows as its format holds them, before any of them is checked."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from recsys.config import LogConfig
from recsys.data.ingest.refusals import Faults
from recsys.errors import DataError
from recsys.suggestions import nearest_name

USER, ITEM, TIMESTAMP, EVENT, VALUE = "user", "item", "timestamp", "event", "value"
"""The columns of a log, by the keys of `[log]` that name them."""

ITEM_ID = "id"
"""The column of a catalogue's ids, by the key of `[items]` that names it."""


@dataclass(frozen=True)
class Wanted:
    """Which columns to read: `columns` maps a key of the configuration's `section` to the column's name.

    `keep`: how many rows that cannot be split into columns are kept as text, for the quarantine.
    """

    section: str
    columns: Mapping[str, str]
    keep: int

    @staticmethod
    def by(log: LogConfig) -> "Wanted":
        """What a log's configuration names."""
        keys = (USER, ITEM, TIMESTAMP, EVENT, VALUE)
        columns = {key: getattr(log, key) for key in keys if getattr(log, key) is not None}
        return Wanted("log", columns, log.quarantine_rows)

    def places(self, source: str, found: Sequence[str]) -> dict[str, int]:
        """Where each key's column stands in `found`, if need be with white space around its name.

        Raises DataError for a missing or an ambiguous one.
        """
        missing = set(self.columns.values()).difference(found)
        found = [name.strip() if name.strip() in missing else name for name in found]
        for key, name in self.columns.items():
            if found.count(name) != 1:
                problem = f"no column {name!r}" if name not in found else f"more than one column {name!r}"
                raise DataError(f"{source}: {problem} ({self.section}.{key}){_hint(name, found)}")
        return {key: found.index(name) for key, name in self.columns.items()}


def _hint(name: str, found: Sequence[str]) -> str:
    close = nearest_name(name, found)
    nearest = f"; did you mean {close!r}?" if close not in (None, name) else ""
    shown = ", ".join(repr(column[:60]) for column in found[:40]) + (", ..." if len(found) > 40 else "")
    unsplit = len(found) == 1 and any(separator in found[0] for separator in ",;|\t")
    split = "; are they separated by something else (log.delimiter)?" if unsplit else ""
    return f"{nearest}; columns found: {shown}{split}"


@dataclass(frozen=True, eq=False)
class RawRows:
    """`columns`: a pyarrow Array (n,) of any type for each wanted key. `lines`: int64 (n,), increasing, from 1.

    `faults`: what is already known to be wrong (such a row's columns are null); `texts`: the text of the first
    such rows, by position.
    """

    source: str
    columns: Mapping[str, Any]
    lines: NDArray[np.int64]
    faults: Faults | None = None
    texts: Mapping[int, str] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.lines)

    def shown(self, row: int) -> Any:
        """What one row held, for people: its text, or its columns."""
        if row in self.texts:
            return self.texts[row]
        return {key: _shown(column[row].as_py()) for key, column in self.columns.items()}


def _shown(value: Any) -> str | None:
    if isinstance(value, bytes):
        value = value.decode("utf-8", "replace")
    return None if value is None else str(value)[:500]


Parse = Callable[[], RawRows]
"""A block waiting to be parsed, in whichever thread."""

Blocks = Iterator[Parse]
"""The blocks of a log in its order."""


def one_array(chunked: Any) -> Any:
    """The pyarrow Array of a table's column."""
    return chunked.combine_chunks() if chunked.num_chunks != 1 else chunked.chunk(0)
