"""FrameSource: a pandas DataFrame as a log."""

import hashlib
from dataclasses import dataclass
from datetime import date, datetime
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.data.ingest.columns import ids_of, texts_of
from recsys.data.ingest.refusals import Faults, first_fault
from recsys.data.ingest.source import ITEM, USER, Batches, Columns, RawBatch
from recsys.progress import Progress, silent

_BLOCK_ROWS = 1 << 19


@dataclass(frozen=True, eq=False)
class FrameSource:
    """The rows of `frame`, counted from 1 whatever its index; NaN, NaT and None are missing.

    `block_rows`: rows per batch. The frame is not modified.
    """

    frame: pd.DataFrame
    block_rows: int = _BLOCK_ROWS

    @property
    def description(self) -> str:
        """Its name in messages."""
        return "the data frame"

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, over the names of the columns and every value, without the index."""
        total = hashlib.sha256(repr([str(name) for name in self.frame.columns]).encode())
        for place in range(self.frame.shape[1]):
            total.update(_content(self.frame.iloc[:, place]))
        return total.hexdigest()

    def estimate_rows(self) -> int:
        """The number of rows, exactly."""
        return len(self.frame)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """Its rows; `progress` counts rows. Raises DataError if the frame lacks a column."""
        places = columns.places(self.description, [str(name) for name in self.frame.columns])
        for start in range(0, len(self.frame), self.block_rows):
            part = self.frame.iloc[start : start + self.block_rows]
            yield partial(self._batch, {key: part.iloc[:, place] for key, place in places.items()}, start)
            progress("read", start + len(part), len(self.frame))

    def _batch(self, series: dict[str, "pd.Series[Any]"], start: int) -> RawBatch:
        columns: dict[str, pa.Array] = {}
        faults: Faults | None = None
        for key, values in series.items():
            columns[key], found = _column(values, is_id=key in (USER, ITEM))
            faults = first_fault(faults, found)
        n_rows = len(next(iter(columns.values())))
        positions = np.arange(start + 1, start + 1 + n_rows, dtype=np.int64)
        return RawBatch.of(self.description, columns, positions, faults=faults)


def _content(values: "pd.Series[Any]") -> bytes:
    """Bytes that are equal for equal values, in their order."""
    try:
        return pd.util.hash_pandas_object(values, index=False, categorize=False).to_numpy().tobytes()
    except (TypeError, ValueError):  # the column holds lists or mappings
        return repr(texts_of(values.tolist()).to_pylist()).encode()


def _column(values: "pd.Series[Any]", *, is_id: bool) -> tuple[pa.Array, Faults | None]:
    try:
        if values.dtype == object and not is_id and _mixes_times(values):
            return texts_of(values.where(values.notna(), None).tolist()), None
        column = pa.array(values, from_pandas=True)
        return (column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column), None
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        mixed = values.astype(object).where(values.notna(), None).tolist()
        return ids_of(mixed) if is_id else (texts_of(mixed), None)


def _mixes_times(values: "pd.Series[Any]") -> bool:
    """Whether Python objects are dates beside times, or times with a zone beside some without.

    pyarrow would make dates of the former, and UTC of the latter.
    """
    times = (value for value in values if isinstance(value, date) and not pd.isna(value))
    first = next(times, None)
    return first is not None and any(_kind_of_time(value) != _kind_of_time(first) for value in times)


def _kind_of_time(value: date) -> tuple[bool, bool]:
    return isinstance(value, datetime), isinstance(value, datetime) and value.tzinfo is not None
