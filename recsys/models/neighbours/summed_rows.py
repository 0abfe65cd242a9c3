"""Sums of the rows of a sparse matrix that other sparse rows name: the same sums in three ways, to the last bit."""

import numpy as np

from recsys.data.matrix import Csr, stacked
from recsys.data.sound_csr import sound_csr
from recsys.retrieval.exclusion import row_slice
from recsys.retrieval.topk import row_blocks

_MANY_COLUMNS = 32
"""Columns per entry from which a product over the columns that occur is quicker: 20 times for a million items."""

FULL = 4
"""Columns per entry up to which sums in rows written out in full are quicker: 3 times for 5,000 items."""

PLACES_AT_ONCE = 2**18
"""Of such an array: 1 MiB, which stays in the cache of one core."""


def summed_rows(counts: Csr, weights: Csr, *, full: float = FULL, places_at_once: int = PLACES_AT_ONCE) -> Csr:
    """Canonical float32 CSR (n, m): row i is the sum of `counts[i, j]` times row j of `weights`, (n_items, m).

    `counts`: canonical float32 CSR (n, n_items). `weights`: canonical float32 CSR, above zero. Sums run in the order
    of the entries of `counts`, in float32: a row does not depend on the other rows, nor on the way that is taken.
    """
    n_entries = int((weights.indptr[counts.indices + 1] - weights.indptr[counts.indices]).sum())
    if 0 < counts.shape[0] * weights.shape[1] <= full * n_entries and (counts.data == 1).all():
        # With other counts a processor may round a product and its sum together in one of the ways.
        return _in_full(counts, weights, places_at_once)
    summed = counts @ weights if weights.shape[1] < _MANY_COLUMNS * n_entries else _over_occurring(counts, weights)
    if summed.nnz > weights.shape[1]:
        summed = summed.tocsc().tocsr()  # sorts in a third of the time, once there are many
    summed.sort_indices()
    return summed


def _in_full(counts: Csr, weights: Csr, places_at_once: int) -> Csr:
    """Write each row out in full, which adds up the entries of equal columns, and keep what is not zero."""
    blocks = row_blocks((counts.shape[0], weights.shape[1]), places_at_once)
    parts = [_block_in_full(row_slice(counts, rows), weights) for rows in blocks]
    return parts[0] if len(parts) == 1 else stacked(parts)


def _block_in_full(counts: Csr, weights: Csr) -> Csr:
    named, shape = weights[counts.indices], (counts.shape[0], weights.shape[1])
    bounds = named.indptr[counts.indptr]
    full = sound_csr(named.data, named.indices, bounds, shape=shape, is_canonical=False).toarray().ravel()
    at = np.flatnonzero(full != 0)  # of one dimension: ten times as quick as of two
    bounds = at.searchsorted(np.arange(shape[0] + 1) * shape[1]).astype(np.int32)
    columns = (at % shape[1]).astype(np.int32)
    return sound_csr(full.take(at), columns, bounds, shape=shape, is_canonical=True)


def _over_occurring(counts: Csr, weights: Csr) -> Csr:
    """The product over the columns that occur alone; columns of a row in any order.

    The product of scipy writes and reads a few numbers for every column.
    """
    items = counts.indices
    rows = weights[items]
    columns, place = np.unique(rows.indices, return_inverse=True)
    shape = (len(items), len(columns))
    compact = Csr((rows.data, place.astype(np.int32), rows.indptr), shape=shape)
    which = Csr(
        (counts.data, np.arange(len(items), dtype=np.int32), counts.indptr), shape=(counts.shape[0], len(items))
    )
    product = which @ compact
    return Csr((product.data, columns[product.indices], product.indptr), shape=(counts.shape[0], weights.shape[1]))
