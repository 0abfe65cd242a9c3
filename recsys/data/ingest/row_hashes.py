"""RowHashes: a fingerprint of rows that is the same in any order of them.

Every row has a hash of its values, by column. The fingerprint is of the number of rows and of two sums of the
hashes, modulo 2^64: sums do not depend on the order, and unlike an exclusive or they see a row that is there twice
(Clarke et al., "Incremental Multiset Hash Functions and Their Application to Memory Integrity Checking", 2003). It
notices changes; it is no protection against somebody who looks for two logs of the same fingerprint.
"""

import hashlib
from threading import Lock

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

Hashes = NDArray[np.uint64]

_GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_FIRST, _SECOND = np.uint64(0xBF58476D1CE4E5B9), np.uint64(0x94D049BB133111EB)
_NULL = np.uint64(0xD1B54A32D192ED03)
_SHIFTS = (np.uint64(30), np.uint64(27), np.uint64(31))


class RowHashes:
    """The sums over the batches that were added, in any order and from any thread.

    `n_read`: rows that the whole has, None until the source was read to its end.
    """

    def __init__(self) -> None:
        self.n_read: int | None = None
        self._lock, self._rows, self._sums = Lock(), 0, np.zeros(2, np.uint64)

    @property
    def complete(self) -> bool:
        """Whether all rows of the whole were added."""
        return self.n_read == self._rows

    def add(self, batch: pa.RecordBatch) -> None:
        """Add the rows of a batch; the order of its columns counts, their names do not."""
        rows = hash_rows(batch)
        sums = np.array([rows.sum(dtype=np.uint64), _mixed(rows ^ _NULL).sum(dtype=np.uint64)])
        with self._lock:
            self._rows += len(batch)
            self._sums += sums

    @property
    def sums(self) -> tuple[int, int, int]:
        """The number of rows, and the two sums of their hashes: plain numbers, for another process."""
        return self._rows, int(self._sums[0]), int(self._sums[1])

    def add_sums(self, sums: tuple[int, int, int]) -> None:
        """Add what another process summed up, as `sums` of its rows."""
        with self._lock:
            self._rows += sums[0]
            self._sums += np.array(sums[1:], np.uint64)

    def digest(self) -> str:
        """sha256, in hexadecimal, of the number of rows and of the sums."""
        return hashlib.sha256(f"{self._rows}/{self._sums[0]}/{self._sums[1]}".encode()).hexdigest()


def hash_rows(batch: pa.RecordBatch) -> Hashes:
    """uint64 (n,): of each row, its values in the order of the columns."""
    rows = np.zeros(len(batch), np.uint64)
    for column in batch.columns:
        rows *= _FIRST
        rows += _hashes(column)
        rows = _mixed(rows)
    return rows


def _hashes(column: pa.Array) -> Hashes:
    """uint64 (n,) of the values of a column; nulls have a hash of their own."""
    kind = column.type
    if isinstance(kind, pa.BaseExtensionType):
        return _hashes(column.storage)
    if pa.types.is_dictionary(kind):
        return _with_nulls(_of_distinct(column.dictionary), column.indices)
    if (numbers := _as_integers(column)) is not None:
        return np.where(_valid(column), _mixed(numbers), _NULL)
    coded = _as_bytes(column).dictionary_encode()
    return _with_nulls(_of_distinct(coded.dictionary), coded.indices)


def _with_nulls(distinct: Hashes, indices: pa.Array) -> Hashes:
    if not len(distinct):
        return np.full(len(indices), _NULL)
    found: Hashes = distinct[indices.fill_null(0).to_numpy(zero_copy_only=False)]
    return np.where(_valid(indices), found, _NULL) if indices.null_count else found


def _of_distinct(values: pa.Array) -> Hashes:
    """uint64 (k,) of distinct values."""
    if not len(values):
        return np.zeros(0, np.uint64)
    if (numbers := _as_integers(values)) is not None:
        return _mixed(numbers)
    texts = _as_bytes(values).to_numpy(zero_copy_only=False)
    found: Hashes = pd.util.hash_array(texts, categorize=False)
    return found


def _as_integers(column: pa.Array) -> Hashes | None:
    """The bits of values of a fixed width up to 64; None for others."""
    kind = column.type
    if pa.types.is_boolean(kind):
        column = column.cast(pa.uint8())
    elif pa.types.is_floating(kind):
        column = column.cast(pa.float64()).view(pa.int64())
    elif not pa.types.is_primitive(kind) or kind.bit_width > 64:
        return None
    elif not pa.types.is_integer(kind):
        column = column.view(pa.int64() if kind.bit_width == 64 else pa.int32())
    numbers: Hashes = column.fill_null(0).to_numpy(zero_copy_only=False).astype(np.uint64)
    return numbers


def _as_bytes(column: pa.Array) -> pa.BinaryArray:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind) or pa.types.is_fixed_size_binary(kind):
        return column.cast(pa.binary())
    if pa.types.is_binary(kind) or pa.types.is_large_binary(kind):
        return column
    return pa.array([None if value is None else repr(value).encode() for value in column.to_pylist()], pa.binary())


def _valid(column: pa.Array) -> NDArray[np.bool_]:
    return np.asarray(pc.is_valid(column).to_numpy(zero_copy_only=False), np.bool_)


def _mixed(values: Hashes) -> Hashes:
    """The finaliser of splitmix64 (Steele, Lea and Flood, "Fast Splittable Pseudorandom Number Generators", 2014)."""
    mixed: Hashes = values + _GOLDEN
    mixed ^= mixed >> _SHIFTS[0]
    mixed *= _FIRST
    mixed ^= mixed >> _SHIFTS[1]
    mixed *= _SECOND
    mixed ^= mixed >> _SHIFTS[2]
    return mixed
