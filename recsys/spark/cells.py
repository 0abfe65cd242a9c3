"""Cells: arrays as binary values of an Arrow table, in the layout of numpy, neither copied to write nor to read them.

pyarrow 26 never frees a memoryview that `pa.array` was given: a worker that made cells so kept the vectors of every
task that it had run. And it copies a value to make a scalar of it.
"""

from collections.abc import Iterator
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_BOUNDS, _VALUES = 1, 2
"""Which buffer of a binary array is which."""


def cell_of(array: NDArray[Any]) -> pa.BinaryArray:
    """One value, the bytes of `array` row after row. Raises OverflowError if it has 2 GiB or more."""
    whole = np.ascontiguousarray(array)
    bounds = np.array([0, whole.nbytes], np.int32)
    return pa.Array.from_buffers(pa.binary(), 1, [None, pa.py_buffer(bounds), pa.py_buffer(whole)])


def row_of(schema: pa.Schema, *values: int | NDArray[Any]) -> pa.RecordBatch:
    """One row of `schema`, whose fields are numbers and, for arrays, binary. Raises as `cell_of`."""
    columns = [
        cell_of(value) if isinstance(value, np.ndarray) else pa.array([value], field.type)
        for value, field in zip(values, schema, strict=True)
    ]
    return pa.record_batch(columns, schema)


def cell_in(column: pa.BinaryArray | pa.ChunkedArray, at: int) -> pa.Buffer:
    """The value in row `at`."""
    for chunk in _chunks(column):
        if at < len(chunk):
            return _cell(chunk, at)
        at -= len(chunk)
    raise IndexError(at)


def cells_in(column: pa.BinaryArray | pa.ChunkedArray) -> Iterator[pa.Buffer]:
    """The values of all rows."""
    for chunk in _chunks(column):
        for at in range(len(chunk)):
            yield _cell(chunk, at)


def _chunks(column: pa.BinaryArray | pa.ChunkedArray) -> list[pa.BinaryArray]:
    return column.chunks if isinstance(column, pa.ChunkedArray) else [column]


def _cell(column: pa.BinaryArray, at: int) -> pa.Buffer:
    buffers = column.buffers()
    start, stop = np.frombuffer(buffers[_BOUNDS], np.int32)[column.offset + at :][:2].tolist()
    return buffers[_VALUES].slice(start, stop - start) if stop > start else pa.py_buffer(b"")
