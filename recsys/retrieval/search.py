"""ItemSearch: how item vectors are searched, whatever index holds them."""

from typing import Protocol

import numpy as np

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.retrieval.addition import check_added
from recsys.retrieval.topk import TopK


class ItemSearch(Protocol):
    """Item vectors that can be searched by inner product."""

    @property
    def n_items(self) -> int:
        """The number of items, those that are never listed too."""

    @property
    def exact(self) -> "ItemSearch":
        """Search that compares every one of the same items; this search if it approximates nothing."""

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None, added: Csr | None = None) -> TopK:
        """The k items with the largest score for each query: the inner product, and what is `added` to it.

        `vectors`: float32 (n, d), finite. `exclude`: CSR (n, n_items); row i holds the items that query i must
        not get. `added`: canonical float32 CSR (n, n_items), finite and at least 0; row i is added to the inner
        products of query i. The sum is made in double precision and rounded once.
        Equal scores are ordered by index. An item whose vector is all zero has no learned vector and is
        never listed. There are fewer than k only if fewer are left. An answer does not depend on the other queries.
        Raises ModelError if shapes do not fit, `vectors` or `added` are not as said, or k is not positive.
        """


class VectorIndex(ItemSearch, Protocol):
    """An ItemSearch that is published: it has a name, keeps exact vectors, and says what a query costs."""

    @property
    def kind(self) -> str:
        """What `index.kind`, files and reports call it."""

    @property
    def vectors(self) -> Floats:
        """float32 (n_items, d), what inner products are taken with."""

    def estimated_microseconds(self, queries: Floats) -> float:
        """What one query costs, averaged over `queries`, float32 (n, d); from counted work, never by the clock."""


def check_queries(
    vectors: Floats, k: int, exclude: Csr | None, *, added: Csr | None = None, shape: tuple[int, int]
) -> None:
    """Raise ModelError unless the arguments of a search fit item vectors of `shape` (n_items, d)."""
    n_items, d = shape
    if vectors.ndim != 2 or vectors.shape[1] != d or vectors.dtype != np.float32:
        raise ModelError(f"search: query vectors are {vectors.dtype} {vectors.shape}, expected float32 (n, {d})")
    if not np.isfinite(vectors).all():
        raise ModelError("search: query vectors hold NaN or infinity")
    if k < 1:
        raise ModelError(f"search: k is {k}, expected at least 1")
    if exclude is not None and exclude.shape != (len(vectors), n_items):
        raise ModelError(f"search: exclude is {exclude.shape}, expected ({len(vectors)}, {n_items})")
    check_added(added, (len(vectors), n_items))
