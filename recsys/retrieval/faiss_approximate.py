"""ApproximateIndex: a faiss structure proposes candidates, exact inner products choose among them."""

import math
from collections.abc import Iterator
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.retrieval.exact import normalised
from recsys.retrieval.faiss_index import LARGE_SHARE, FaissIndex
from recsys.retrieval.mips_to_l2 import padded, padded_factors
from recsys.retrieval.overfetch import forbid_candidates
from recsys.retrieval.rescoring import rescored
from recsys.retrieval.search import check_queries
from recsys.retrieval.threads import in_threads
from recsys.retrieval.topk import TopK, empty_top_k, place, stack, top_k_of_candidates

TUNED_K = 100
"""The k at which effort is tuned and recall is reported."""

# Queries that one thread hands to faiss together, and elements of the item vectors that it gathers for them: 2 MiB
# of float32, which stay in the cache of one core.
_QUERIES_AT_ONCE, _GATHERED_AT_ONCE = 16, 2**19

# Effort grows in so many steps from one width to its double, so that most queries of a batch look equally hard; it
# shrinks down to half of the width that it is tuned for.
_STEPS_PER_DOUBLING = 4
_NARROWEST = TUNED_K // 2


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

    def grown(self, steps: int) -> "Effort":
        """The effort for the best TUNED_K * 2 ** (steps / 4): as many candidates for each of them, and at least one.

        Probes grow with the square root; they shrink in proportion, for the very best are in the nearest cells.
        """
        growth = 2 ** (steps / _STEPS_PER_DOUBLING)
        more = min(growth, math.sqrt(growth))
        return Effort(math.ceil(self.probes * more), math.ceil(max(TUNED_K, self.candidates) * growth))


def steps_to(width: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 (n,): by how many steps effort grows, or where negative shrinks, for the best `width`, int64 (n,)."""
    doublings = np.log2(np.maximum(width, _NARROWEST) / TUNED_K)
    steps: NDArray[np.int64] = np.ceil(_STEPS_PER_DOUBLING * doublings).astype(np.int64)
    return steps


class ApproximateIndex:
    """Searches `structure`, built over the augmented vectors of `exact`, and ranks what it finds exactly.

    Exact search answers if an approximation cannot: a query that is all zero, one that must leave out a large share
    of the items, and one for which fewer than k were found.
    Searching changes nothing, so threads may share one.
    """

    def __init__(
        self, kind: str, structure: Any, exact: FaissIndex, *, effort: Effort, memory: memoryview | None = None
    ) -> None:
        if (structure.ntotal, structure.d) != (exact.n_items, padded_factors(exact.vectors.shape[1])):
            shape = (structure.ntotal, structure.d)
            raise ModelError(f"index: {kind} over {shape} does not fit vectors of shape {exact.vectors.shape}")
        self.kind, self.structure, self.exact, self.effort = kind, structure, exact, effort
        self._plain = np.asarray(exact.vectors)  # rows of a mapped array are many times slower to take
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
        width, n_listable = k + n_excluded, self.exact.items.n_listable
        steps = np.where((width < n_listable * LARGE_SHARE) & vectors.any(axis=1), steps_to(width), _EXACTLY)
        answer = self._search_by_steps(vectors, k, exclude, steps)
        short = np.flatnonzero((answer.counts < k) | (steps == _EXACTLY))
        if len(short) == 0:
            return answer
        exact = self.exact.search(vectors[short], k, exclude=None if exclude is None else exclude[short])
        return place([(np.arange(len(answer)), answer), (short, exact)], len(answer), k)

    def _search_by_steps(self, vectors: Floats, k: int, exclude: Csr | None, steps: NDArray[np.int64]) -> TopK:
        """Answers by `steps` of effort, int64 (n,); none where they are _EXACTLY."""
        present = np.unique(steps)
        if len(present) == 1 and present[0] != _EXACTLY:
            return self._search_alike(vectors, k, exclude, self.effort.grown(int(present[0])))
        parts = []
        for step in present[present != _EXACTLY].tolist():
            rows = np.flatnonzero(steps == step)
            without = None if exclude is None else exclude[rows]
            parts.append((rows, self._search_alike(vectors[rows], k, without, self.effort.grown(step))))
        return place(parts, len(vectors), k)

    def _search_alike(self, vectors: Floats, k: int, exclude: Csr | None, effort: Effort) -> TopK:
        """Answers to queries that are looked for equally hard, none of them all zero."""
        n, factors = vectors.shape
        count = min(self.n_items, effort.candidates)
        size = max(1, min(_QUERIES_AT_ONCE, _GATHERED_AT_ONCE // (count * factors)))
        parameters = self._parameters(effort.probes, count)
        items, slack = self.exact.items, self.exact.items.slack(vectors)

        def search_block(start: int) -> TopK:
            block = slice(start, start + size)
            queries = vectors[block]
            with threads_of_faiss(1):
                _, found = self.structure.search(self._longer(queries), count, params=parameters)
            scores: Floats = np.matmul(np.take(self._plain, found, axis=0, mode="clip"), queries[:, :, None])[:, :, 0]
            scores[(found < 0) | (found >= self.n_items)] = -np.inf
            candidates = found.astype(np.int32)
            without = exclude if exclude is None or size >= n else exclude[block]
            forbid_candidates(scores, candidates, items.zeros, without)
            near = top_k_of_candidates(candidates, scores, max(k, count))
            return rescored(near, queries, items, k=k, slack=slack[block])

        parts = in_threads(search_block, range(0, n, size))
        return stack(parts) if parts else empty_top_k(0, k)

    def _longer(self, queries: Floats) -> Floats:
        """Queries as the structure takes them: for HNSW, which goes by distance, as long as one another."""
        return padded(normalised(queries) if isinstance(self.structure, faiss.IndexHNSW) else queries)

    def _parameters(self, probes: int, count: int) -> Any:
        if isinstance(self.structure, faiss.IndexHNSW):
            return native.SearchParametersHNSW(efSearch=max(probes, count))
        return native.SearchParametersIVF(nprobe=min(probes, self.structure.nlist))


_EXACTLY = -(2**30)
"""Stands for the steps of a query that is left to exact search."""


@contextmanager
def threads_of_faiss(n: int) -> Iterator[None]:
    """`n` threads for what faiss does meanwhile in this one."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def visited(index: ApproximateIndex, vectors: Floats) -> float:
    """The mean number of items whose codes a query of `vectors`, float32 (n, d), is compared with at TUNED_K.

    A count, not a clock: the same on every machine.
    """
    queries = padded(vectors[vectors.any(axis=1)])
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
