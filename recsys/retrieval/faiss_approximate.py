"""ApproximateIndex: a faiss structure proposes candidates, exact inner products choose among them."""

import math
from copy import copy
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.retrieval.augmented import augmented_queries, padded_factors
from recsys.retrieval.faiss_index import LARGE_SHARE, FaissIndex
from recsys.retrieval.search import check_queries
from recsys.retrieval.threads import in_threads
from recsys.retrieval.topk import TopK, empty_top_k, place, stack, top_k_from_sorted

TUNED_K = 100
"""The k at which effort is tuned and recall is reported."""

_QUERIES_AT_ONCE = 32


# faiss types itself in part only: what it does not name is taken from here, and structures are Any.
native: Any = faiss


@dataclass(frozen=True)
class Effort:
    """How hard to look, tuned for TUNED_K.

    `probes`: cells visited by an IVF family, nodes kept in view by HNSW (efSearch). `candidates`: how many are
    compared by their exact vectors.
    """

    probes: int
    candidates: int

    def __post_init__(self) -> None:
        if self.probes < 1 or self.candidates < 1:
            raise ModelError(f"index: probes {self.probes}, candidates {self.candidates}, expected at least 1")

    def at(self, width: int) -> "Effort":
        """The effort for the best `width`: as many candidates for each answer, and the square root of the probes."""
        growth = max(1.0, width / TUNED_K)
        return Effort(math.ceil(self.probes * math.sqrt(growth)), math.ceil(self.candidates * growth))


class ApproximateIndex:
    """Searches `structure`, built over the augmented vectors of `exact`, and ranks what it finds exactly.

    Each query is searched on its own, so an answer does not depend on what is asked beside it. Exact search answers
    where an approximation cannot: a query that is all zero, one that must leave out a large share of the items, and
    one for which fewer than k were found. Searching changes nothing, so threads may share one.
    """

    def __init__(
        self,
        kind: str,
        structure: Any,
        exact: FaissIndex,
        *,
        effort: Effort,
        query_length: float,
        memory: memoryview | None = None,
    ) -> None:
        if (structure.ntotal, structure.d) != (exact.n_items, padded_factors(exact.vectors.shape[1])):
            shape = (structure.ntotal, structure.d)
            raise ModelError(f"index: {kind} over {shape} does not fit vectors of shape {exact.vectors.shape}")
        self.kind, self.structure, self.exact = kind, structure, exact
        self.effort, self.query_length = effort, query_length
        self._memory = memory  # where `structure` lies, which does not keep it itself

    @property
    def n_items(self) -> int:
        """How many vectors the index holds."""
        return self.exact.n_items

    @property
    def vectors(self) -> Floats:
        """float32 (n_items, d), what inner products are taken with."""
        return self.exact.vectors

    @property
    def n_cells(self) -> int | None:
        """How many cells an IVF family has; None where there are no cells."""
        return int(self.structure.nlist) if isinstance(self.structure, faiss.IndexIVF) else None

    def with_effort(self, effort: Effort) -> "ApproximateIndex":
        """The same index, looking harder or less hard."""
        changed = copy(self)
        changed.effort = effort
        return changed

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None) -> TopK:
        """The k best of what is found for each query; see `ItemSearch.search`.

        Scores are exact inner products. `exclude` is canonical: its columns are sorted within a row.
        """
        check_queries(vectors, k, exclude, shape=self.vectors.shape)
        n_excluded = np.zeros(len(vectors), np.int64) if exclude is None else np.diff(exclude.indptr)
        wide = k + n_excluded >= self.n_items * LARGE_SHARE
        by_structure = np.flatnonzero(~wide & vectors.any(axis=1))
        found = self._search_many(vectors, by_structure, k, exclude)
        answer = found if len(by_structure) == len(vectors) else place([(by_structure, found)], len(vectors), k)
        again = np.flatnonzero(answer.counts < np.minimum(k, self.n_items - n_excluded))
        if len(again) == 0:
            return answer
        exact = self.exact.search(vectors[again], k, exclude=None if exclude is None else exclude[again])
        return place([(np.arange(len(answer)), answer), (again, exact)], len(answer), k)

    def _search_many(self, vectors: Floats, rows: NDArray[np.intp], k: int, exclude: Csr | None) -> TopK:
        """The answers for `rows` of the queries, intp (m,), none of them all zero."""

        def search_block(start: int) -> TopK:
            return stack([self._search_one(vectors, int(row), k, exclude) for row in rows[start:][:_QUERIES_AT_ONCE]])

        parts = in_threads(search_block, range(0, len(rows), _QUERIES_AT_ONCE))
        return stack(parts) if parts else empty_top_k(0, k)

    def _search_one(self, vectors: Floats, row: int, k: int, exclude: Csr | None) -> TopK:
        excluded = _NOTHING if exclude is None else exclude.indices[exclude.indptr[row] : exclude.indptr[row + 1]]
        candidates = self._candidates(vectors[row : row + 1], k + len(excluded))
        candidates = candidates[~_among(candidates, excluded)] if len(excluded) else candidates
        scores = self.exact.scores_of(np.ascontiguousarray(vectors[row]), candidates)
        best = np.argsort(-scores, kind="stable")[:k]
        return top_k_from_sorted(candidates[best].astype(np.int32)[None], scores[best][None], k)

    def _candidates(self, query: Floats, width: int) -> NDArray[np.int64]:
        """int64 (m,), ascending: what the structure proposes for one query float32 (1, d)."""
        effort = self.effort.at(width)
        count = min(self.n_items, max(width, effort.candidates))
        if isinstance(self.structure, faiss.IndexHNSW):
            parameters = native.SearchParametersHNSW(efSearch=max(effort.probes, count))
        else:
            parameters = native.SearchParametersIVF(nprobe=min(effort.probes, self.structure.nlist))
        longer = augmented_queries(query, self.query_length)
        _, found = self.structure.search(longer, count, params=parameters)
        candidates: NDArray[np.int64] = np.sort(found[0])
        return candidates[np.searchsorted(candidates, 0) : np.searchsorted(candidates, self.n_items)]


_NOTHING = np.empty(0, np.int32)


def _among(candidates: NDArray[np.int64], excluded: Indices) -> NDArray[np.bool_]:
    """bool (m,): which candidates are in `excluded`, int32 (e,), ascending and not empty."""
    at = np.minimum(np.searchsorted(excluded, candidates), len(excluded) - 1)
    among: NDArray[np.bool_] = excluded[at] == candidates
    return among


def visited(index: ApproximateIndex, vectors: Floats) -> float:
    """The mean number of items whose codes a query of `vectors`, float32 (n, d), is compared with at TUNED_K.

    A count, not a clock: the same on every machine.
    """
    queries = augmented_queries(vectors[vectors.any(axis=1)], index.query_length)
    if isinstance(index.structure, faiss.IndexHNSW) or len(queries) == 0:
        return float(min(index.n_items, index.effort.probes * _NEIGHBOURS_VISITED))
    probes = min(index.effort.probes, index.structure.nlist)
    _, cells = index.structure.quantizer.search(queries, probes)
    sizes = np.array([index.structure.invlists.list_size(cell) for cell in range(index.structure.nlist)])
    return float(sizes[cells].sum(axis=1).mean())


def bytes_of(structure: Any) -> int:
    """Bytes of the file that `structure` would be written to."""
    return len(faiss.serialize_index(structure))


# Distances that HNSW computes for each node it keeps in view: about its links at the lowest level.
_NEIGHBOURS_VISITED = 32
