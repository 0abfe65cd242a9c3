"""How well and how quickly an index answers the queries of a sample: recall against exact search, and time."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.matrix import Csr
from recsys.retrieval.approximate_index import TUNED_K, ApproximateIndex
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import SubsetSearch, selective
from recsys.retrieval.topk import TopK, top_k_from_sorted

SHORT_K = 10
"""The k of a short list, which is looked for less hard than one of TUNED_K."""

_SHORT = f", {SHORT_K} wanted"
_ALLOWED_SHARES = (0.5, 0.1, 0.01)
_TIMED_QUERIES, _TIMED_SECONDS = 50, 0.1


class Situation(NamedTuple):
    """How many are wanted, and what each query must not get: CSR (n, n_items), or None."""

    k: int
    exclude: Csr | None = None


@dataclass(frozen=True, eq=False)
class Sample:
    """Queries: `vectors` float32 (n, d); `exclude`: CSR (n, n_items), what each must not get, or None."""

    vectors: Floats
    exclude: Csr | None = None

    def rows(self, rows: NDArray[np.intp] | slice) -> "Sample":
        """Some of the queries."""
        return Sample(np.ascontiguousarray(self.vectors[rows]), None if self.exclude is None else self.exclude[rows])

    def asked(self) -> "Sample":
        """Those that can be asked: a query that is all zero has no best items."""
        return self.rows(np.flatnonzero(self.vectors.any(axis=1)))

    def halves(self) -> tuple["Sample", "Sample"]:
        """Every other query, and those between."""
        return self.rows(slice(0, None, 2)), self.rows(slice(1, None, 2))

    def situations(self) -> dict[str, Situation]:
        """Those that search parameters are tuned in, by name."""
        left_out: dict[str, Csr | None] = {} if self.exclude is None else {"seen left out": self.exclude}
        left_out["nothing left out"] = None
        return {
            name + wanted: Situation(k, exclude)
            for name, exclude in left_out.items()
            for wanted, k in (("", TUNED_K), (_SHORT, SHORT_K))
        }


@dataclass(frozen=True, eq=False)
class Answered:
    """Queries of a `sample`, and what exact search finds for them in each of its `situations`, by name."""

    sample: Sample
    situations: Mapping[str, Situation]
    true: Mapping[str, TopK]

    def __len__(self) -> int:
        return len(self.sample.vectors)

    def every(self, step: int) -> "Answered":
        """One query in `step`."""
        some = self.sample.rows(slice(0, None, step))
        true = {
            name: TopK(top.indices[::step], top.scores[::step], top.counts[::step]) for name, top in self.true.items()
        }
        return Answered(some, some.situations(), true)


@dataclass(frozen=True, eq=False)
class Held:
    """Queries that measure what others have tuned; exact search answers them when they are first needed."""

    sample: Sample
    exact: ItemSearch

    @cached_property
    def answered(self) -> Answered:
        """All of them."""
        return answered(self.sample, self.exact)

    def every(self, step: int) -> Answered:
        """One query in `step`, of which alone the answers are looked for."""
        return answered(self.sample.rows(slice(0, None, step)), self.exact)


def answered(sample: Sample, exact: ItemSearch) -> Answered:
    """`sample` with the answers of `exact`: asked for long lists only, because a short list begins a long one."""
    situations = sample.situations()
    longest = {
        id(asked.exclude): exact.search(sample.vectors, asked.k, exclude=asked.exclude)
        for asked in situations.values()
        if asked.k == TUNED_K
    }
    true = {}
    for name, asked in situations.items():
        best = longest[id(asked.exclude)]
        true[name] = top_k_from_sorted(best.indices, best.scores, asked.k)
    return Answered(sample, situations, true)


def measure(index: ApproximateIndex, held: Answered) -> Mapping[str, float]:
    """Recall against exact search in every situation, and among random allow-lists of several sizes."""
    vectors = held.sample.vectors
    recalls = {
        name: recall(index.search(vectors, asked.k, exclude=asked.exclude), held.true[name])
        for name, asked in held.situations.items()
    }
    rng = np.random.default_rng(len(vectors))
    for share in _ALLOWED_SHARES:
        recalls[f"{share:.0%} allowed"] = _recall_among(index, held.sample, rng.random(index.n_items) < share)
    return recalls


def worst(recalls: Mapping[str, float]) -> dict[str, float]:
    """Of what `measure` found, the lowest recall@100 and the lowest recall@10; 1.0 if nothing was measured."""
    short = {name for name in recalls if name.endswith(_SHORT)}
    return {
        f"recall@{TUNED_K}": min((recalls[name] for name in recalls.keys() - short), default=1.0),
        f"recall@{SHORT_K}": min((recalls[name] for name in short), default=1.0),
    }


def _recall_among(index: ApproximateIndex, sample: Sample, allowed: NDArray[np.bool_]) -> float:
    """Through `selective`, as the service filters."""

    def among(search: ItemSearch) -> ItemSearch:
        return selective(search, lambda rows: index.vectors[rows], allowed, factors=index.vectors.shape[1])

    filtered = among(index)
    if isinstance(filtered, SubsetSearch):  # all that are allowed are compared, whatever the index
        return 1.0
    found, true = (
        search.search(sample.vectors, TUNED_K, exclude=sample.exclude) for search in (filtered, among(index.exact))
    )
    return recall(found, true)


def microseconds_of(index: ItemSearch, sample: Sample) -> float:
    """The median time of a lone query by the clock, in microseconds; 0.0 if there is none."""
    times: list[int] = []
    for row in range(min(_TIMED_QUERIES, len(sample.vectors))):
        one = sample.rows(slice(row, row + 1))
        started = time.perf_counter_ns()
        index.search(one.vectors, TUNED_K, exclude=one.exclude)
        times.append(time.perf_counter_ns() - started)
        if sum(times) > _TIMED_SECONDS * 1e9:
            break
    return float(np.median(times)) / 1000 if times else 0.0


def recall(found: TopK, true: TopK) -> float:
    """sum |found & true| / sum |true| over the queries; 1.0 if there is nothing to find.

    `found`, `true`: answers to the same queries, `true` those of exact search.
    """
    hits = sum(len(np.intersect1d(one, other)) for one, other in _pairs(found, true))
    return hits / int(true.counts.sum()) if true.counts.any() else 1.0


def surely_recalled(found: TopK, true: TopK) -> float:
    """`recall` less two standard errors of its mean over the queries: what other queries will hardly fall below."""
    shares = [len(np.intersect1d(one, other)) / len(other) for one, other in _pairs(found, true) if len(other)]
    return surely(np.array(shares))


def surely(shares: Doubles) -> float:
    """The mean of `shares`, float64 (n,), less two standard errors; 1.0 if there are none."""
    if len(shares) < 2:
        return float(shares.sum()) if len(shares) else 1.0
    return float(np.mean(shares) - 2 * np.std(shares, ddof=1) / np.sqrt(len(shares)))


def _pairs(found: TopK, true: TopK) -> Iterator[tuple[Indices, Indices]]:
    return zip((indices for indices, _ in found.rows()), (indices for indices, _ in true.rows()), strict=True)
