"""Exclusion: items that a query must not get, left out of scores or dropped from a list that was fetched too long."""

from collections.abc import Iterator
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.data.sound_csr import sound_csr
from recsys.retrieval.topk import TopK, top_k_from_sorted


def forbid(block: Floats, exclude: Csr | None, start: int) -> None:
    """Set to -inf, in place, the scores of what `exclude`, CSR, stores in the rows from `start` on.

    `block`: float32 (m, n_items), scores of these rows."""
    if exclude is None:
        return
    bounds = exclude.indptr[start : start + len(block) + 1]
    row = np.repeat(np.arange(len(block)), np.diff(bounds))
    block[row, exclude.indices[bounds[0] : bounds[-1]]] = -np.inf


def fetch_groups(n: int, k: int, exclude: Csr | None) -> Iterator[tuple[NDArray[np.intp], int]]:
    """Queries that can be asked together, and how many answers to fetch so that each keeps k.

    Yields query numbers intp (m,) and a width. Queries are asked together if their numbers of excluded items lie
    between the same powers of two, so that one heavy user does not make everybody's fetch wide.
    """
    excluded = np.zeros(n, np.int32) if exclude is None else np.diff(exclude.indptr)
    magnitude = np.frexp(excluded)[1]
    for group in np.unique(magnitude):
        queries = np.flatnonzero(magnitude == group)
        yield queries, k + int(excluded[queries].max())


def drop_excluded(indices: Indices, scores: Floats, k: int, *, exclude: Csr | None) -> TopK:
    """The first k of each row of candidates that are not excluded.

    `indices`: int32 (n, w), positions without repeats, best first. `scores`: float32 (n, w), finite.
    `exclude`: CSR (n, n_items), columns sorted within a row.
    """
    if exclude is None:
        return top_k_from_sorted(indices, scores, k)
    allowed = ~stored(indices, exclude)
    position = np.cumsum(allowed, axis=1) - 1
    row, column = np.nonzero(allowed & (position < k))
    kept = np.zeros((len(indices), k), np.int32)
    kept_scores = np.full((len(indices), k), -np.inf, np.float32)
    kept[row, position[row, column]] = indices[row, column]
    kept_scores[row, position[row, column]] = scores[row, column]
    return top_k_from_sorted(kept, kept_scores, k)


def forbid_candidates(scores: Floats, indices: Indices, zeros: Indices, exclude: Csr | None) -> None:
    """Set to -inf, in place, the scores of candidates that a query must not get.

    `scores`, `indices`: float32 and int32 (n, w). `zeros`: int32 (m,), ascending, items that are never listed.
    `exclude`: CSR (n, n_items), columns sorted within a row.
    """
    if exclude is not None:
        scores[stored(indices, exclude)] = -np.inf
    if len(zeros):
        scores[zeros[np.minimum(np.searchsorted(zeros, indices), len(zeros) - 1)] == indices] = -np.inf


def some_rows(rows_of: Csr | None, rows: NDArray[np.intp] | slice) -> Csr | None:
    """The given rows, of which a slice has no step; None of None."""
    if rows_of is None:
        return None
    return row_slice(rows_of, rows) if isinstance(rows, slice) else rows_of[rows]


def row_slice(csr: Csr, rows: slice) -> Csr:
    """The rows of a slice without a step, in a fraction of the time of scipy's own slices."""
    start, stop, _ = rows.indices(csr.shape[0])
    bounds = csr.indptr[start : stop + 1]
    stored = slice(bounds[0], bounds[-1])
    shape = (stop - start, csr.shape[1])
    return sound_csr(csr.data[stored], csr.indices[stored], bounds - bounds[0], shape=shape, is_canonical=False)


def stored(indices: Indices, exclude: Csr) -> NDArray[np.bool_]:
    """bool (n, w): whether row i of `exclude` stores the column `indices[i, j]`."""
    return places_of(indices, exclude)[1]


def places_of(indices: Indices, rows: Csr) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
    """Where row i of `rows`, CSR (n, n_items), stores the column `indices[i, j]`: intp (n, w), places in its `data`.

    And bool (n, w), whether it does: other places mean nothing. Columns are sorted within a row of `rows`.
    """
    place = np.zeros(indices.shape, np.intp)
    found = np.zeros(indices.shape, np.bool_)
    for row, (start, stop) in enumerate(pairwise(rows.indptr.tolist())):
        if start < stop:
            columns = rows.indices[start:stop]
            at = np.minimum(columns.searchsorted(indices[row]), stop - start - 1)
            place[row], found[row] = start + at, columns[at] == indices[row]
    return place, found
