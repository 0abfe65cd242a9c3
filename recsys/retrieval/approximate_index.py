"""ApproximateIndex: a family's structure proposes candidates, exact inner products choose among them."""

import math
from copy import copy
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.map_ordered import map_blas
from recsys.progress import Progress
from recsys.retrieval.exclusion import forbid_candidates, some_rows
from recsys.retrieval.families.cells import Cells
from recsys.retrieval.families.family import Family, Structure, Visits
from recsys.retrieval.flat_index import ASKING, LARGE_SHARE, FlatIndex
from recsys.retrieval.one_query import best_of_proposed, fits_one_query
from recsys.retrieval.rescoring import rescored
from recsys.retrieval.search import check_queries
from recsys.retrieval.support import best_with_support
from recsys.retrieval.topk import TopK, empty_top_k, place, stack, top_k_of_candidates

TUNED_K = 100
"""The k that search parameters are tuned for and recall is reported at."""

# Queries that one thread looks for together, and elements of the item vectors that it gathers for them: 2 MiB of
# float32, which stay in the cache of one core.
_QUERIES_AT_ONCE, _GATHERED_AT_ONCE = 16, 2**19

# Steps of the parameters from one width to its double; few, so that most queries of a batch share parameters;
# they shrink down to half of the width that they are tuned for.
_STEPS_PER_DOUBLING = 4
_NARROWEST = TUNED_K // 2

# Nanoseconds: to find, fetch and compare one candidate, and per dimension of its vector.
_CANDIDATE, _CANDIDATE_DIMENSION = 120.0, 0.8

EXACTLY = -(2**30)
"""Stands for the steps of a query that is left to exact search."""

_NOTHING: Indices = np.zeros(0, np.int32)


@dataclass(frozen=True)
class SearchParameters:
    """Search parameters, tuned for TUNED_K.

    `probes`: how much of its structure a family looks into: cells of an inverted file, nodes kept in view of a graph.
    `candidates`: how many are compared by their exact vectors. Raises ModelError if one is below 1.
    """

    probes: int
    candidates: int

    def __post_init__(self) -> None:
        if self.probes < 1 or self.candidates < 1:
            raise ModelError(f"index: probes {self.probes}, candidates {self.candidates}, expected at least 1")

    def grown(self, steps: int) -> "SearchParameters":
        """Those for the best TUNED_K * 2 ** (steps / 4): as many candidates for each of them, and at least one.

        Probes grow with the square root; they shrink in proportion, because the very best are in the nearest cells.
        """
        growth = 2 ** (steps / _STEPS_PER_DOUBLING)
        more = min(growth, math.sqrt(growth))
        return SearchParameters(math.ceil(self.probes * more), math.ceil(max(TUNED_K, self.candidates) * growth))


def steps_to(width: NDArray[np.int64]) -> NDArray[np.int64]:
    """int64 (n,): by how many steps parameters grow, or shrink if negative, for the best `width`, int64 (n,)."""
    doublings = np.log2(np.maximum(width, _NARROWEST) / TUNED_K)
    steps: NDArray[np.int64] = np.ceil(_STEPS_PER_DOUBLING * doublings).astype(np.int64)
    return steps


def steps_to_one(width: int) -> int:
    """`steps_to` of one width."""
    return math.ceil(_STEPS_PER_DOUBLING * math.log2(max(width, _NARROWEST) / TUNED_K))


class ApproximateIndex:
    """Searches `structure`, which `family` built over the vectors of `exact`, and ranks what it proposes exactly.

    Exact search answers if an approximation cannot: a query that is all zero, one that must leave out a large share
    of the items, and one for which fewer than k were found.
    Searching changes nothing, so threads may share one.
    """

    def __init__(
        self, family: Family, structure: Structure, exact: FlatIndex, *, parameters: SearchParameters
    ) -> None:
        self.family, self.structure, self.exact, self.parameters = family, structure, exact, parameters
        self._plain = np.asarray(exact.vectors)  # rows of a mapped array are many times slower to take

    @property
    def kind(self) -> str:
        """The name of the family."""
        return self.family.name

    @property
    def n_items(self) -> int:
        """How many vectors the index holds."""
        return self.exact.n_items

    @property
    def vectors(self) -> Floats:
        """float32 (n_items, d), what inner products are taken with."""
        return self.exact.vectors

    def with_parameters(self, parameters: SearchParameters) -> "ApproximateIndex":
        """The same index, looking harder or less hard."""
        changed = copy(self)
        changed.parameters = parameters
        return changed

    def estimated_microseconds(self, queries: Floats) -> float:
        """What one query costs at k = TUNED_K, averaged over those of `queries`, float32 (n, d), that are not zero.

        From counted work: the same on every machine and at every hour; see `IndexFamily.nanoseconds`.
        """
        asked = queries[queries.any(axis=1)]
        proposing = self.family.nanoseconds(self.structure, asked, self.parameters.probes) if len(asked) else 0.0
        return _microseconds(proposing, self.parameters.candidates, self.vectors.shape[1])

    def search(self, vectors: Floats, k: int, *, exclude: Csr | None = None, added: Csr | None = None) -> TopK:
        """The k best of what is found for each query; see `ItemSearch.search`.

        Scores are exact. `exclude` is canonical: its columns are sorted within a row. What is `added` misses no item:
        the structure proposes by inner product alone, and all items that something is added to are candidates too.
        """
        check_queries(vectors, k, exclude, added=added, shape=self.exact.items.shape)
        if len(vectors) == 1 and added is None and (top := self._search_one(vectors, k, exclude)) is not None:
            return top
        steps = self.steps(vectors, k, exclude)
        answer = self._search_by_steps(vectors, k, exclude, added, steps)
        short = np.flatnonzero((answer.counts < k) | (steps == EXACTLY))
        if len(short) == 0:
            return answer
        exact = self.exact.search(vectors[short], k, exclude=some_rows(exclude, short), added=some_rows(added, short))
        return place([(np.arange(len(answer)), answer), (short, exact)], len(answer), k)

    def steps(self, vectors: Floats, k: int, exclude: Csr | None) -> NDArray[np.int64]:
        """int64 (n,): by how many steps the parameters grow for each query; EXACTLY if it is left to exact search."""
        width = k + (np.zeros(len(vectors), np.int64) if exclude is None else np.diff(exclude.indptr))
        narrow = width < self.exact.items.n_listable * LARGE_SHARE
        return np.where(narrow & vectors.any(axis=1), steps_to(width), EXACTLY)

    def _search_one(self, query: Floats, k: int, exclude: Csr | None) -> TopK | None:
        """The answer to one query, float32 (1, d), that needs neither exact search nor many candidates; else None."""
        excluded = _NOTHING if exclude is None else exclude.indices
        width = k + len(excluded)
        if width >= self.exact.items.n_listable * LARGE_SHARE or not query.any():
            return None
        parameters = self.parameters.grown(steps_to_one(width))
        count = min(self.n_items, parameters.candidates)
        if not fits_one_query(count, query.shape[1]):
            return None
        proposed = self.structure.propose(query, parameters.probes, count)[0]
        return best_of_proposed(proposed, query, self._plain, k=k, zeros=self.exact.items.zeros, excluded=excluded)

    def _search_by_steps(
        self, vectors: Floats, k: int, exclude: Csr | None, added: Csr | None, steps: NDArray[np.int64]
    ) -> TopK:
        """Answers with parameters grown by `steps`, int64 (n,); none for the rows that are EXACTLY."""
        present = np.unique(steps)
        if len(present) == 1 and present[0] != EXACTLY:
            return self._search_alike(vectors, k, exclude, added, self.parameters.grown(int(present[0])))
        parts = []
        for step in present[present != EXACTLY].tolist():
            rows = np.flatnonzero(steps == step)
            without, plus = some_rows(exclude, rows), some_rows(added, rows)
            parts.append((rows, self._search_alike(vectors[rows], k, without, plus, self.parameters.grown(step))))
        return place(parts, len(vectors), k)

    def _search_alike(
        self, vectors: Floats, k: int, exclude: Csr | None, added: Csr | None, parameters: SearchParameters
    ) -> TopK:
        """Answers to queries that are looked for equally hard, none of them all zero."""
        n, factors = vectors.shape
        count = min(self.n_items, parameters.candidates)
        size = max(1, min(_QUERIES_AT_ONCE, _GATHERED_AT_ONCE // (count * factors)))
        items, slack = self.exact.items, self.exact.items.slack(vectors, added)

        def search_block(start: int) -> TopK:
            block = slice(start, start + size)
            queries = vectors[block]
            found = self.structure.propose(queries, parameters.probes, count)
            scores: Floats = np.matmul(np.take(self._plain, found, axis=0, mode="clip"), queries[:, :, None])[:, :, 0]
            scores[(found < 0) | (found >= self.n_items)] = -np.inf
            candidates = found.astype(np.int32)
            without, plus = (exclude, added) if size >= n else (some_rows(exclude, block), some_rows(added, block))
            forbid_candidates(scores, candidates, items.zeros, without)
            if plus is not None:
                return best_with_support(
                    candidates, scores, queries, items=items, k=k, slack=slack[block], exclude=without, added=plus
                )
            near = top_k_of_candidates(candidates, scores, max(k, count))
            return rescored(near, queries, items, k=k, slack=slack[block])

        starts = range(0, n, size)
        parts = list(map_blas(search_block, starts, ahead=len(starts)))
        return stack(parts) if parts else empty_top_k(0, k)


def least_microseconds(
    family: Family, shape: tuple[int, int], visits: Visits | None, *, candidates: int | None = None
) -> float:
    """The least that a query of `family` can cost at k = TUNED_K, by the prices of `estimated_microseconds`.

    `shape`: of the item vectors, (n_items, d). `visits`: what a trial found; see `IndexFamily.least_nanoseconds`.
    `candidates`: how many are compared, by default as few as the family tries.
    """
    return _microseconds(family.least_nanoseconds(shape, visits), candidates or min(family.candidates), shape[1])


def _microseconds(proposing: float, candidates: int, factors: int) -> float:
    comparing = candidates * (_CANDIDATE + _CANDIDATE_DIMENSION * factors)
    return float(ASKING + proposing + comparing) / 1000


def build_approximate(
    family: Family, exact: FlatIndex, *, seed: int, progress: Progress, cells: Cells | None = None
) -> ApproximateIndex:
    """Build `family` over the vectors of `exact`, with the least parameters. Raises ModelError without items.

    `cells`: those of a trial; see `IndexFamily.build`.
    """
    if exact.n_items == 0:
        raise ModelError("index: there are no item vectors")
    structure = family.build(exact.vectors, seed=seed, progress=progress, cells=cells)
    return ApproximateIndex(family, structure, exact, parameters=SearchParameters(1, 1))
