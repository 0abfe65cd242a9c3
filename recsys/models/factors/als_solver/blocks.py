"""The rows, or the columns, of a row-wise matrix in blocks: one block is one piece of work."""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import read_only
from recsys.data.matrix import Csr, entries_per_column
from recsys.models.factors.als_solver.kernels import Entries, take_columns
from recsys.models.factors.als_solver.sizes import block_entries

_ROW = 16
"""Work of a row beside that of its entries, in entries."""


@dataclass(frozen=True, eq=False)
class Block:
    """Consecutive rows of the side that is solved, and their `entries`, those of `rows.start` first."""

    rows: slice
    entries: Entries


def row_blocks(csr: Csr) -> Iterator[Block]:
    """The rows of `csr`, canonical float32, in blocks that share its arrays. Long rows come first."""
    indptr, indices, values = entries_of(csr)
    for rows in _longest_first(np.diff(indptr)):
        yield Block(rows, (indptr[rows.start : rows.stop + 1], indices, values))


def column_blocks(csr: Csr) -> Iterator[Block]:
    """The columns of `csr`, canonical float32, in blocks of a transposed copy. Long columns come first.

    Each block is made as it is asked for, so only those that the caller holds are in memory, and 8 bytes per row.
    """
    counts = entries_per_column(csr).astype(np.int64)
    entries = entries_of(csr)
    starts = entries[0][:-1]
    at = starts.copy()
    for columns in _longest_first(counts):
        alone = columns.stop - columns.start == 1
        # The others are in order, so each row is read on from where the last block left it.
        yield _transposed(entries, columns, counts[columns], at=starts.copy() if alone else at)


def _longest_first(n_entries: NDArray[np.int64]) -> list[slice]:
    """Slices that cover `n_entries`, int64 (n,): those of one row, the longest first, then the others in order.

    So no thread is left with a long row at the end.
    """
    slices = _cut(n_entries + _ROW, block_entries(int(n_entries.sum())))
    return sorted(slices, key=lambda rows: -int(n_entries[rows.start]) if rows.stop - rows.start == 1 else 0)


def _cut(work: NDArray[np.int64], most: int) -> list[slice]:
    """Slices of consecutive rows whose `work`, int64 (n,), sums to up to `most`, or that are one row."""
    total = np.cumsum(work)
    bounds = [0]
    while bounds[-1] < len(work):
        done = total[bounds[-1] - 1] if bounds[-1] else 0
        bounds.append(max(int(np.searchsorted(total, done + most, side="right")), bounds[-1] + 1))
    return [slice(*pair) for pair in pairwise(bounds)]


def _transposed(entries: Entries, columns: slice, counts: NDArray[np.int64], *, at: NDArray[np.int64]) -> Block:
    starts = np.append(0, np.cumsum(counts))
    rows, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], np.float32)
    take_columns(entries, columns.start, columns.stop, at, starts[:-1].copy(), rows, values)
    return Block(columns, (read_only(starts), read_only(rows), read_only(values)))


def entries_of(csr: Csr) -> Entries:
    """The arrays of `csr`, plain and read-only, with long row pointers."""
    indptr, indices = csr.indptr.astype(np.int64), np.asarray(csr.indices, np.int32)
    return read_only(indptr), read_only(indices), read_only(np.asarray(csr.data))
