"""Compiled products of a sparse matrix and some columns of a dense one, without copies of those columns.

Imported late, see `recsys.compiled`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numpy.typing import NDArray

from recsys.compiled import compiled
from recsys.data.arrays import Floats, Indices

Entries = tuple[NDArray[np.int64], Indices, Floats]
"""indptr, indices and values of a CSR matrix, all read-only, so that there is one type to compile for."""


@compiled
def multiply(entries: Entries, dense: Floats, low: int, high: int, out: Floats) -> None:
    """Columns `low` to `high` - 1 of `out`, float32 (n, w), become those of matrix (n, m) times `dense` (m, w)."""
    indptr, indices, values = entries
    for row in range(len(indptr) - 1):
        target = out[row, low:high]
        for k in range(len(target)):
            target[k] = 0
        for place in range(indptr[row], indptr[row + 1]):
            value, source = values[place], dense[indices[place], low:high]
            for k in range(len(target)):
                target[k] += value * source[k]


@compiled
def multiply_transposed(entries: Entries, dense: Floats, low: int, high: int, out: Floats) -> None:
    """Columns `low` to `high` - 1 of `out`, float32 (m, w), become those of the transpose times `dense` (n, w)."""
    indptr, indices, values = entries
    for row in range(len(out)):
        for k in range(low, high):
            out[row, k] = 0
    for row in range(len(indptr) - 1):
        source = dense[row, low:high]
        for place in range(indptr[row], indptr[row + 1]):
            value, target = values[place], out[indices[place], low:high]
            for k in range(len(source)):
                target[k] += value * source[k]
