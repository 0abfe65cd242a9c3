"""FlatIndex: exact search that compares every item, quick for one query as for many."""

import logging

import faiss
import numpy as np

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.progress import Progress, silent
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.exclusion import fetch_groups, forbid_candidates, some_rows
from recsys.retrieval.rescoring import ItemVectors, reordered
from recsys.retrieval.search import check_queries
from recsys.retrieval.support import best_with_support
from recsys.retrieval.topk import TopK, place

logger = logging.getLogger(__name__)

# From this many queries on, or if a larger share of all items is fetched, one masked matrix product over the same
# vectors is faster than faiss: a quarter slower for one query, a quarter faster for four, twice for sixteen.
_MANY_QUERIES, LARGE_SHARE = 4, 1 / 64

# Nanoseconds: to ask at all, to compare one dimension of a vector.
ASKING, _DIMENSION = 50_000.0, 0.15

# So many more are fetched: near-ties with the k-th best are seldom more.
_SPARE = 8


class FlatIndex:
    """A flat inner-product index: every item is compared, nothing is approximated.

    `vectors`: float32 (n_items, d), kept, not copied: a mapped file stays shared by the processes that map it.
    Answers are those of `ExactSearch` over the same vectors. Searching changes nothing, so threads may share one.
    Raises ModelError unless `vectors` are C-contiguous, finite float32.
    """

    kind = "exact"
    """What reports call this family of index."""

    def __init__(self, vectors: Floats) -> None:
        self.items = ItemVectors.of(vectors)
        self._exact = ExactSearch(self.items)
        self.vectors = vectors
        """float32 (n_items, d), what inner products are taken with."""

    @property
    def n_items(self) -> int:
        """How many vectors the index holds."""
        return len(self.vectors)

    @property
    def exact(self) -> "FlatIndex":
        """This index, which compares every item already."""
        return self

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None, added: Csr | None = None) -> TopK:
        """The k best items of each query; see `ItemSearch.search`.

        `exclude` is canonical: its columns are sorted within a row.
        """
        check_queries(vectors, k, exclude, added=added, shape=self.items.shape)
        if len(vectors) >= _MANY_QUERIES:
            return self._exact.search(vectors, k, exclude=exclude, added=added)
        groups = list(fetch_groups(len(vectors), k, exclude))
        if len(groups) == 1:
            return self._search_group(vectors, k, groups[0][1], exclude, added)
        parts = []
        for queries, width in groups:
            without, plus = some_rows(exclude, queries), some_rows(added, queries)
            parts.append((queries, self._search_group(vectors[queries], k, width, without, plus)))
        return place(parts, len(vectors), k)

    def _search_group(self, vectors: Floats, k: int, width: int, exclude: Csr | None, added: Csr | None) -> TopK:
        """Fetch `width` and a few more, which tell whether what was left behind could be among the k best."""
        if width >= self.n_items * LARGE_SHARE:
            return self._exact.search(vectors, k, exclude=exclude, added=added)
        scores, found = faiss.knn(vectors, self.vectors, width + _SPARE, metric=faiss.METRIC_INNER_PRODUCT)
        last, indices = scores[:, -1].copy(), found.astype(np.int32)
        forbid_candidates(scores, indices, self.items.zeros, exclude)
        slack = self.items.slack(vectors, added)
        if added is None:
            answer = reordered(indices, scores, vectors, self.items, k=k)
        else:
            answer = best_with_support(
                indices, scores, vectors, items=self.items, k=k, slack=slack, exclude=exclude, added=added
            )
        unsure = np.flatnonzero(answer.scores[:, -1] - slack <= last)
        if len(unsure) == 0:
            return answer
        again = self._exact.search(
            vectors[unsure], k, exclude=some_rows(exclude, unsure), added=some_rows(added, unsure)
        )
        return place([(np.arange(len(answer)), answer), (unsure, again)], len(answer), k)

    def estimated_microseconds(self, queries: Floats) -> float:
        """What one query costs, by a price that was measured once: the same for all, on every machine."""
        return (ASKING + self.vectors.size * _DIMENSION) / 1000


def build_index(vectors: Floats, *, progress: Progress = silent) -> FlatIndex:
    """The exact index of `vectors`: float32 (n_items, d), which are copied; `choose_index` has the other families.

    Raises ModelError if `vectors` are not finite float32, or there are none.
    """
    if len(vectors) == 0:
        raise ModelError("index: there are no item vectors")
    index = FlatIndex(vectors.copy())
    progress("index", len(vectors), len(vectors))
    logger.info("indexed items=%d factors=%d", *vectors.shape)
    return index
