"""Exact search for many queries: the longest items first, until no other can be among the best.

An inner product is at most the product of the two lengths (Cauchy, Schwarz). Once the k-th best of what was looked at
is above that for the next item in the order of lengths, the rest need not be multiplied at all: with vectors of ALS,
whose rarely used items are short, that is most of the catalogue. One compiled pass over a block of scores leaves out
what is excluded and finds the candidates, another computes their exact scores. Lists are those of
`rescoring.best_of_scores`, which compares every item, to the last bit.

Imported late, see `recsys.compiled`.
"""

from collections.abc import Callable
from typing import cast

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Array, Bools, Doubles, Floats, Indices, read_only
from recsys.data.matrix import Csr, empty_csr
from recsys.retrieval.by_length_kernels import (
    Candidates,
    Entries,
    Stored,
    order_entries,
    settle,
    take_block,
    take_support,
)
from recsys.retrieval.exclusion import some_rows
from recsys.retrieval.rescoring import ItemVectors, squared_lengths, totals
from recsys.retrieval.topk import TopK, top_k_of_candidates

QUERIES_AT_ONCE = 512
_ITEMS_AT_ONCE = 1024
"""Of one product: 2 MiB of scores, which the pass over them finds in the cache."""

# More than all rounding of a product of two lengths.
_CAREFUL = 1 + 2.0**-20
# A row has room for so many candidates more than twice k.
_ROOM = 256


def best_by_length(
    queries: Floats,
    items: ItemVectors,
    k: int,
    *,
    product: Callable[[Floats, Floats], Floats],
    exclude: Csr | None,
    added: Csr | None,
) -> tuple[TopK, NDArray[np.intp]]:
    """The k best items of each of `queries`, float32 (n, d), and which queries have to be answered in another way.

    Of these more items are near-tied than there is room for; their rows mean nothing. `exclude`, `added`: as in
    `ItemSearch.search`, columns sorted within a row.
    """
    vectors, asked = _plain(items.vectors), _plain(queries)
    without, more = _stored(exclude, len(queries)), _stored(added, len(queries))
    slack = items.slack(queries, added)
    found = _candidates(asked, vectors, items, without, more, k=k, slack=slack, product=product)
    scores, unsure = np.full(found.item.shape, -np.inf, np.float32), np.zeros(found.item.shape, np.bool_)
    settle(asked, vectors, items.lengths, more, found, scores, unsure)
    _settle_again(queries, items, added, found.item, scores=scores, unsure=unsure)
    width = max(1, int(found.held.max(initial=0)))
    return top_k_of_candidates(found.item[:, :width], scores[:, :width], k), np.flatnonzero(found.crowded)


def _candidates(
    queries: Floats,
    vectors: Floats,
    items: ItemVectors,
    without: Stored,
    more: Stored,
    *,
    k: int,
    slack: Doubles,
    product: Callable[[Floats, Floats], Floats],
) -> Candidates:
    """All items that can be among the k best of each query, unless the query is `crowded`."""
    n, order = len(queries), items.by_length
    starts = range(0, items.n_listable, _ITEMS_AT_ONCE)
    left_out, plus = (_by_block(rows, order.place, items.n_listable) for rows in (without, more))
    found = _no_candidates(n, k, slack)
    reach = np.sqrt(squared_lengths(queries)) * _CAREFUL
    n_taken, active = np.zeros(n, np.int32), np.arange(n, dtype=np.int32)
    for block, start in enumerate(starts):
        longest = float(order.lengths[start])
        active = active[(reach[active] * longest >= found.bound[active]) & ~found.crowded[active]]
        if len(active) == 0:
            break
        some = order.items[start : min(start + _ITEMS_AT_ONCE, items.n_listable)]
        scores = product(queries if len(active) == n else queries[active], np.take(vectors, some, axis=0))
        take_block(scores, active, some, order.place, block, left_out, plus, k, found)
        n_taken[active] = block + 1
    take_support(queries, vectors, reach, items.lengths, n_taken, without, plus, k, found)
    return found


def _no_candidates(n: int, k: int, slack: Doubles) -> Candidates:
    room = 2 * k + _ROOM
    return Candidates(
        item=np.zeros((n, room), np.int32),
        score=np.empty((n, room), np.float32),
        held=np.zeros(n, np.int32),
        bound=np.full(n, np.finfo(np.float32).min, np.float32),
        slack=_plain(slack),
        crowded=np.zeros(n, np.bool_),
    )


def _by_block(rows: Stored, place: Indices, n_listable: int) -> Entries:
    n_blocks = -(-n_listable // _ITEMS_AT_ONCE)
    entry, start = np.empty(len(rows.indices), np.int32), np.empty((len(rows.indptr) - 1, n_blocks + 1), np.int32)
    order_entries(rows.indptr, rows.indices, place, n_listable, _ITEMS_AT_ONCE, entry, start)
    return Entries(entry, start, rows.indices, rows.data)


def _settle_again(
    queries: Floats, items: ItemVectors, added: Csr | None, item: Indices, *, scores: Floats, unsure: Bools
) -> None:
    """Replace the `unsure` ones of `scores`, bool and float32 (n, w), by what `totals` has for them."""
    row, column = np.nonzero(unsure)
    if len(row):
        exactly = totals(queries[row], items.vectors, item[row, column][:, None], added=some_rows(added, row))
        scores[row, column] = exactly[:, 0]


def _stored(rows: Csr | None, n: int) -> Stored:
    """The arrays of `rows`, or those of `n` rows without entries."""
    if rows is None:
        rows = empty_csr((n, 0))
    indptr, indices = (each.astype(np.int32, copy=False) for each in (rows.indptr, rows.indices))
    return Stored(_plain(indptr), _plain(indices), _plain(rows.data.astype(np.float32, copy=False)))


def _plain(array: Array) -> Array:
    """The same data as a read-only array of numpy's own, also if it is mapped."""
    return read_only(cast("Array", np.ascontiguousarray(array)))
