"""A pandas DataFrame as blocks of raw rows."""

from functools import partial
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa

from recsys.data.ingest import python_values
from recsys.data.ingest.raw_rows import ITEM, USER, Blocks, RawRows, Wanted
from recsys.data.ingest.refusals import Faults, first_fault

SOURCE = "the data frame"
_BLOCK_ROWS = 1 << 19


def frame_blocks(frame: pd.DataFrame, wanted: Wanted) -> Blocks:
    """The rows of a frame, counted from 1 whatever its index; NaN, NaT and None are missing.

    Raises DataError where it lacks a column.
    """
    places = wanted.places(SOURCE, [str(name) for name in frame.columns])
    for start in range(0, len(frame), _BLOCK_ROWS):
        part = frame.iloc[start : start + _BLOCK_ROWS]
        yield partial(_rows, {key: part.iloc[:, place] for key, place in places.items()}, start)


def _rows(series: dict[str, Any], start: int) -> RawRows:
    columns: dict[str, Any] = {}
    faults: Faults | None = None
    for key, values in series.items():
        columns[key], struck = _column(values, is_id=key in (USER, ITEM))
        faults = first_fault(faults, struck)
    n_rows = len(next(iter(columns.values())))
    return RawRows(SOURCE, columns, np.arange(start + 1, start + 1 + n_rows, dtype=np.int64), faults)


def _column(values: Any, *, is_id: bool) -> tuple[Any, Faults | None]:
    try:
        column = pa.array(values, from_pandas=True)
        return (column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column), None
    except (pa.ArrowInvalid, pa.ArrowTypeError):
        mixed = values.astype(object).where(values.notna(), None).tolist()
        return python_values.ids(mixed) if is_id else (python_values.texts(mixed), None)
