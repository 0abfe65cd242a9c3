"""Scores that depend on a query and an item alone, not on the kernel of a matrix product or the queries beside.

BLAS chooses the order of a sum in float32 by the processor, by the number of rows and by the place of a row among
them. Two items a rounding error apart then trade places between a batch and a single query. So a product in float32
only proposes: it finds every item that could be among the k best, given the largest error that any order can make.
These few are scored again in double precision, in a fixed order of summation, and rounded once.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from recsys.data.arrays import Doubles, Floats, Indices, read_only
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.retrieval.addition import added_at, largest_added
from recsys.retrieval.exclusion import some_rows
from recsys.retrieval.topk import TopK, empty_top_k, near_top_k, row_blocks, stack, top_k_of_candidates

# Elements of the gathered vectors of one block: 512 KiB in double precision, which stay in the cache of one core.
GATHERED_PER_BLOCK = 2**16

_UNIT_ROUNDOFF, _LEAST = 2.0**-24, 2.0**-149

_ADDED_ROUNDINGS = 8
"""Of a sum in float32, twice: of the sum that proposes, of the one that counts, of this bound, of its comparison."""


@dataclass(frozen=True, eq=False)
class ItemVectors:
    """Item vectors as a search uses them.

    `vectors`: float32 (n_items, d), kept, not copied. `lengths`: float32 (n_items,), theirs, above zero.
    `longest`: the largest of these. `zeros`: int32 (m,), ascending, the positions of vectors that are all zero: items
    without a learned vector, which no search lists.
    """

    vectors: Floats
    lengths: Floats
    longest: float
    zeros: Indices

    @staticmethod
    def of(vectors: Floats) -> "ItemVectors":
        """Raises ModelError unless `vectors` is C-contiguous, finite float32 (n_items, d)."""
        if vectors.ndim != 2 or vectors.dtype != np.float32 or not vectors.flags.c_contiguous:
            came = f"{vectors.dtype} {vectors.shape}"
            raise ModelError(f"search: item vectors are {came}, expected C-contiguous float32 (n_items, d)")
        if not np.isfinite(vectors).all():
            raise ModelError("search: item vectors hold NaN or infinity")
        with np.errstate(over="ignore"):
            squares = np.vecdot(vectors, vectors)
        if np.isinf(squares).any():
            squares = squared_lengths(vectors)
        small = np.flatnonzero(squares < np.finfo(np.float32).tiny)
        zeros = small[~vectors[small].any(axis=1)].astype(np.int32)
        lengths = np.sqrt(np.maximum(squares, np.finfo(np.float32).tiny), dtype=np.float64)
        longest = float(lengths.max(initial=np.sqrt(np.finfo(np.float32).tiny, dtype=np.float64)))
        with np.errstate(over="ignore"):  # an infinite length bounds every product
            rounded = lengths.astype(np.float32)
        return ItemVectors(read_only(vectors), read_only(rounded), longest, read_only(zeros))

    @property
    def shape(self) -> tuple[int, int]:
        """(n_items, d)."""
        return len(self.vectors), int(self.vectors.shape[1])

    @property
    def n_listable(self) -> int:
        """How many items can be listed: those whose vector is not all zero."""
        return len(self.vectors) - len(self.zeros)

    @cached_property
    def by_length(self) -> "ByLength":
        """The same items, the longest first."""
        return ByLength.of(self.lengths, self.zeros)

    def slack(self, queries: Floats, added: Csr | None = None) -> Doubles:
        """float64 (n,): `rounding_slack` of `queries`, float32 (n, d), with these vectors.

        `added`: CSR (n, n_items), at least 0, what is added to the products: one more rounding of each sum.
        """
        return search_slack(queries, longest=self.longest, added=added)


@dataclass(frozen=True, eq=False)
class ByLength:
    """The order of items by length, the longest first, equal ones by position; those of `zeros` last.

    `items`: int32 (n_items,), positions in this order. `place`: int32 (n_items,), where each item stands in it.
    `lengths`: float32 (n_items,), in this order.
    """

    items: Indices
    place: Indices
    lengths: Floats

    @staticmethod
    def of(lengths: Floats, zeros: Indices) -> "ByLength":
        """`lengths`: float32 (n_items,), above zero. `zeros`: int32 (m,)."""
        shortness = -lengths
        shortness[zeros] = 0
        items = np.argsort(shortness, kind="stable").astype(np.int32)
        place = np.empty_like(items)
        place[items] = np.arange(len(items), dtype=np.int32)
        return ByLength(read_only(items), read_only(place), read_only(lengths[items]))


def search_slack(queries: Floats, *, longest: float, added: Csr | None = None) -> Doubles:
    """float64 (n,): `rounding_slack`, with one more rounding per sum if something is `added`, CSR (n, n_items)."""
    slack = rounding_slack(queries, longest=longest)
    if added is None:
        return slack
    return np.where(slack > 0, slack + _ADDED_ROUNDINGS * _UNIT_ROUNDOFF * largest_added(added), 0)


def rounding_slack(queries: Floats, *, longest: float) -> Doubles:
    """float64 (n,): how far below the k-th best float32 score one of the k best can seem to be.

    Twice the largest error of a float32 inner product in any order of summation, d u |q| |x| with u = 2^-24 (Higham,
    Accuracy and Stability of Numerical Algorithms, 2002, section 3.1). 0 for a query that is all zero, whose scores
    are all exactly zero. `queries`: float32 (n, d). `longest`: length of the longest vector they are compared with.
    """
    length = np.sqrt(squared_lengths(queries))
    terms = queries.shape[1] + 4  # four more: roundings of the score, of this bound and of its comparison
    slack: Doubles = np.where(length > 0, 2 * terms * (_UNIT_ROUNDOFF * length * longest * 1.01 + _LEAST), 0)
    return slack


def squared_lengths(vectors: Floats) -> Doubles:
    """float64 (n,): squared lengths of `vectors`, float32 (n, d). That of a row does not depend on the other rows.

    Each block is made float64 first: einsum would cast through a buffer, whose end can lie within a row.
    """
    squares = np.empty(len(vectors), np.float64)
    for rows in row_blocks(vectors.shape, GATHERED_PER_BLOCK):
        block = vectors[rows].astype(np.float64)
        squares[rows] = np.einsum("nd,nd->n", block, block)
    return squares


def best_of_scores(
    scores: Floats, queries: Floats, items: ItemVectors, *, k: int, slack: Doubles, added: Csr | None = None
) -> TopK:
    """The k best items of each of `queries`, float32 (n, d), of which `scores`, float32 (n, n_items), propose some.

    `scores`: inner products in any order of summation, with what is `added`, canonical CSR (n, n_items), to them;
    -inf means "not allowed". `slack`: from `ItemVectors.slack`.
    """
    if scores.size == 0:
        return empty_top_k(len(scores), k)
    blocks = row_blocks(scores.shape)
    near = ((block, near_top_k(scores[block], k, slack[block])) for block in blocks)
    return stack(
        [
            rescored(top, queries[block], items, k=k, slack=slack[block], added=some_rows(added, block))
            for block, top in near
        ]
    )


def rescored(
    near: TopK, queries: Floats, items: ItemVectors, *, k: int, slack: Doubles, added: Csr | None = None
) -> TopK:
    """The k best of `near`, by `totals`; equal scores by lower index.

    `near`: candidates in the order of their float32 scores, among them all that are within `slack`, float64 (n,), of
    the k-th best. `queries`: float32 (n, d), those that they answer.
    """
    width = _width(near, k, slack)
    return reordered(near.indices[:, :width], near.scores[:, :width], queries, items, k=k, added=added)


def reordered(
    indices: Indices, scores: Floats, queries: Floats, items: ItemVectors, *, k: int, added: Csr | None = None
) -> TopK:
    """The k best of the candidates `indices`, int32 (n, w), by `totals`; equal scores by lower index.

    `scores`: float32 (n, w), those they were found with, of which only -inf, "not allowed", counts.
    """
    products = totals(queries, items.vectors, indices, added=added)
    return top_k_of_candidates(indices, np.where(scores > -np.inf, products, np.float32(-np.inf)), k)


def _width(near: TopK, k: int, slack: Doubles) -> int:
    """How many leading columns of `near` hold all that could be among the k best of their row."""
    if near.k <= k or len(near) == 0:
        return near.k
    reach = near.scores >= near.scores[:, k - 1].astype(np.float64)[:, None] - slack[:, None]
    return max(k, int(reach[slack > 0].sum(axis=1).max(initial=0)))


def totals(queries: Floats, vectors: Floats, indices: Indices, *, added: Csr | None = None) -> Floats:
    """float32 (n, w): `inner_products`, and what is `added` to them: canonical float32 CSR (n, m), or None.

    The one score of an item for a query, wherever it is listed. Both parts are summed in float64 and rounded once.
    """
    return inner_products(queries, vectors, indices, more=None if added is None else added_at(added, indices))


def inner_products(
    queries: Floats,
    vectors: Floats,
    indices: Indices,
    *,
    more: Floats | None = None,
    gathered_per_block: int = GATHERED_PER_BLOCK,
) -> Floats:
    """float32 (n, w): `queries`, float32 (n, d), with the rows `indices`, (n, w), of `vectors`, float32 (m, d).

    Products are exact in float64 and added up there by numpy itself, never by BLAS, whose order depends on where a
    row lies; `more`, float32 (n, w), is added there too, and the sum is rounded once. Padding gets any number.
    """
    (n, w), d = indices.shape, vectors.shape[1]
    products = np.empty((n, w), np.float32)
    columns = max(1, min(w, gathered_per_block // max(1, d)))
    rows = max(1, gathered_per_block // max(1, columns * d))
    for top in range(0, n, rows):
        factors = queries[top : top + rows].astype(np.float64)
        for left in range(0, w, columns):
            block = (slice(top, top + rows), slice(left, left + columns))
            gathered = np.take(vectors, indices[block], axis=0).astype(np.float64)
            sums = np.einsum("nwd,nd->nw", gathered, factors)
            products[block] = sums if more is None else sums + more[block]
    return products
