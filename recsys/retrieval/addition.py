"""Addition: numbers that a model adds to the inner products of some items, one sparse row per query."""

import numpy as np

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.retrieval.exclusion import places_of, row_slice
from recsys.retrieval.topk import row_blocks

# Scores of one step: 1 MiB of float32, so that what is added to them stays in the cache of one core.
_SCORES_AT_ONCE = 2**18


def check_added(added: Csr | None, shape: tuple[int, int]) -> None:
    """Raise ModelError unless `added` is None, or float32 CSR of `shape` (n, n_items), finite and at least 0."""
    if added is None:
        return
    if added.shape != shape or added.dtype != np.float32:
        raise ModelError(f"search: added is {added.dtype} {added.shape}, expected float32 {shape}")
    if not (added.data.min(initial=0) >= 0 and added.data.max(initial=0) < np.inf):
        raise ModelError("search: added holds NaN, infinity or a number below 0")


def add_to(block: Floats, added: Csr | None, start: int) -> None:
    """Add to `block`, float32 (m, n_items), in place, the rows of `added`, CSR, from `start` on."""
    if added is None:
        return
    for rows in row_blocks(block.shape, _SCORES_AT_ONCE):
        some = slice(start + rows.start, start + min(rows.stop, len(block)))
        block[rows] += row_slice(added, some).toarray()  # half the time of scipy's own sum


def added_at(added: Csr, indices: Indices) -> Floats:
    """float32 (n, w): what row i of `added`, canonical CSR (n, n_items), adds to the items `indices`, int32 (n, w).

    0 if it adds nothing. Padding gets any number.
    """
    place, found = places_of(indices, added)
    return np.where(found, added.data[place], np.float32(0)) if added.nnz else np.zeros(indices.shape, np.float32)


def largest_added(added: Csr) -> Doubles:
    """float64 (n,): the largest number in each row of `added`, CSR (n, n_items), at least 0; 0 for an empty row."""
    filled = np.flatnonzero(np.diff(added.indptr))
    largest = np.zeros(added.shape[0])
    if len(filled):
        largest[filled] = np.maximum.reduceat(added.data, added.indptr[filled])
    return largest
