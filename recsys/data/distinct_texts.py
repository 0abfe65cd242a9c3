"""Dictionary coding: the distinct texts of a column, and the number of each row's text.

Arrow does it with one hash table whose every look-up reads three places of memory. For millions of texts these are
most of its time. The compiled loops keep hash and number side by side, so that a look-up reads one, and compare the
texts afterwards, all at once. Both give the same arrays.
"""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Indices, read_only

_SHORT, _LONG = 1 << 16, 1 << 22
"""Rows of the columns that compiled loops code: fewer are not worth it, more would take 16 bytes per row."""

_ROWS_BEFORE = 1 << 21
"""Rows that Arrow codes in a process before loops are compiled or loaded, which takes as long."""

_NO_TEXT = np.empty(0, np.uint8)


class DictionaryCoding:
    """Codes columns by Arrow, and by compiled loops once `rows_before` rows were coded."""

    def __init__(self, *, rows_before: int = _ROWS_BEFORE, shortest: int = _SHORT) -> None:
        self._left, self._shortest = rows_before, shortest

    def __call__(self, column: pa.Array) -> pa.DictionaryArray:
        """`column`, (n,) of any type, dictionary-coded: values in the order in which they first occur."""
        if self._left > 0:
            self._left -= len(column)  # threads may lose some of these, which only delays
        elif self._shortest <= len(column) <= _LONG and column.type == pa.binary() and not column.null_count:
            coded = _coded(column)
            if coded is not None:
                return coded
        return column.dictionary_encode()


dictionary_coded = DictionaryCoding()
"""That of this process."""


def _coded(column: pa.BinaryArray) -> pa.DictionaryArray | None:
    """None if hashes of different texts are equal, or too many of them meet in the table."""
    from recsys.data.distinct_texts_kernels import are_texts, hash_texts, number_hashes  # noqa: PLC0415 (numba)

    (offsets, data), n = _texts(column), len(column)
    hashes, numbers, firsts = np.empty(n, np.uint64), np.empty(n, np.int32), np.empty(n, np.int32)
    hash_texts(offsets, data, hashes)
    n_distinct = number_hashes(hashes, numbers, firsts)
    if n_distinct < 0:
        return None
    names = column.take(pa.array(firsts[:n_distinct]))
    if not are_texts(offsets, data, numbers, *_texts(names)):
        return None
    return pa.DictionaryArray.from_arrays(pa.array(numbers), names)


def _texts(column: pa.BinaryArray) -> tuple[Indices, NDArray[np.uint8]]:
    """Offsets int32 (n + 1,) and data of a column with at least one row, read-only."""
    _, offsets, data = column.buffers()
    bounds = np.frombuffer(offsets, np.int32)[column.offset : column.offset + len(column) + 1]
    return read_only(bounds), read_only(_NO_TEXT if data is None else np.frombuffer(data, np.uint8))
