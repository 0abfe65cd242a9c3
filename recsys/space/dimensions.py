"""How much d numbers keep: the spectrum of the learned matrix, and vectors stored in fewer bytes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Doubles, Floats
from recsys.data.matrix import Csr
from recsys.models.factors.embeddings import Embeddings
from recsys.progress import Progress, silent
from recsys.retrieval.exact import ExactSearch

_K = 100
_QUERIES = 1_000


@dataclass(frozen=True)
class KeptBy:
    """What the best approximation with `d` numbers per user and item keeps.

    `energy`: share of the sum of all squared scores. `recall`: recall@100 against all dimensions.
    """

    d: int
    energy: float
    recall: float


@dataclass(frozen=True)
class StoredAs:
    """Vectors in another type. `bytes_per_vector`: of one user or item. `recall`: recall@100 against float32."""

    type: str
    bytes_per_vector: int
    recall: float


@dataclass(frozen=True)
class Dimensions:
    """What the dimensions of a model keep, by up to 1,000 of its own users. `k`: the cut-off of recall."""

    factors: int
    n_queries: int
    k: int
    kept: tuple[KeptBy, ...]
    stored: tuple[StoredAs, ...]


def measure_dimensions(embeddings: Embeddings, left_out: Csr | None, *, progress: Progress = silent) -> Dimensions:
    """What fewer dimensions and fewer bytes keep of the lists of `embeddings`.

    `left_out`: CSR (n_users, n_items), what each user's list leaves out. Scores are inner products with
    `scoring_items`; what neighbours add is not part of this.
    """
    known = np.flatnonzero(embeddings.users.any(axis=1))
    rows = known[:: max(1, -(-len(known) // _QUERIES))]
    queries, items = embeddings.users[rows], embeddings.scoring_items
    lists = _Lists(queries, items, None if left_out is None else left_out[rows])
    users_to, items_to, energy = principal_basis(embeddings.users, items)
    sizes = sizes_to_try(embeddings.factors)
    kept = []
    for done, d in enumerate(sizes):
        progress("dimensions", done, len(sizes) + 2)
        fewer = lists.recall((queries @ users_to)[:, :d], (items @ items_to)[:, :d])
        kept.append(KeptBy(d, float(energy[:d].sum() / energy.sum()) if energy.sum() else 1.0, fewer))
    stored = [StoredAs("float32", 4 * embeddings.factors, 1.0)]
    for done, (name, size, stored_as) in enumerate(_TYPES, start=len(sizes)):
        progress("dimensions", done, len(sizes) + 2)
        recall = lists.recall(stored_as(queries), stored_as(items))
        stored.append(StoredAs(name, size(embeddings.factors), recall))
    progress("dimensions", len(sizes) + 2, len(sizes) + 2)
    return Dimensions(embeddings.factors, len(rows), lists.k, tuple(kept), tuple(stored))


def sizes_to_try(factors: int) -> tuple[int, ...]:
    """Powers of two from 4 below `factors`, then `factors`."""
    return (*(2**power for power in range(2, 20) if 2**power < factors), factors)


def principal_basis(users: Floats, items: Floats) -> tuple[Floats, Floats, Doubles]:
    """Maps of user and item vectors, float32 (n, d), to a basis in which the first r numbers are the best r.

    By Eckart and Young (1936) the best approximation of rank r of the scores users @ items.T keeps their r largest
    singular values s. s**2 are the eigenvalues of R (users.T users) R, with R the root of items.T items = R R.
    Returns float32 (d, d) for users, float32 (d, d) for items, and s**2, float64 (d,), falling.
    """
    root = _symmetric_root(_gram(items))
    squared, basis = np.linalg.eigh(root @ _gram(users) @ root)
    basis, squared = basis[:, ::-1], np.maximum(squared[::-1], 0)
    inverse = np.linalg.pinv(root, hermitian=True)
    return (root @ basis).astype(np.float32), (inverse @ basis).astype(np.float32), squared


def _gram(vectors: Floats) -> Doubles:
    gram: Doubles = (vectors.T @ vectors).astype(np.float64)
    return gram


def _symmetric_root(gram: Doubles) -> Doubles:
    values, axes = np.linalg.eigh(gram)
    root: Doubles = (axes * np.sqrt(np.maximum(values, 0))) @ axes.T
    return root


@dataclass(frozen=True, eq=False)
class _Lists:
    """The lists of some users by all dimensions in float32, to compare others with."""

    queries: Floats
    items: Floats
    left_out: Csr | None

    @property
    def k(self) -> int:
        """The cut-off: 100, or fewer for small catalogues."""
        return min(_K, len(self.items))

    def recall(self, queries: Floats, items: Floats) -> float:
        """Share of the items of the exact lists that those by other vectors have."""
        expected = self._exact
        shared = [len(np.intersect1d(*pair)) for pair in zip(self._best(queries, items), expected, strict=True)]
        return sum(shared) / max(1, sum(map(len, expected)))

    @cached_property
    def _exact(self) -> Sequence[NDArray[np.int32]]:
        return self._best(self.queries, self.items)

    def _best(self, queries: Floats, items: Floats) -> Sequence[NDArray[np.int32]]:
        search = ExactSearch(np.ascontiguousarray(items, np.float32))
        top = search.search(np.ascontiguousarray(queries, np.float32), self.k, exclude=self.left_out)
        return [row[:count] for row, count in zip(top.indices, top.counts, strict=True)]


def as_float16(vectors: Floats) -> Floats:
    """`vectors`, float32 (n, d), after rounding to float16; they are divided by their largest number before."""
    scale = np.float32(np.abs(vectors).max(initial=0) or 1)
    rounded: Floats = (vectors / scale).astype(np.float16).astype(np.float32) * scale
    return rounded


def as_int8(vectors: Floats) -> Floats:
    """`vectors`, float32 (n, d), after rounding to int8 with one float32 scale per row: the largest number is 127."""
    scale = _largest(vectors) / np.float32(127)
    return np.rint(vectors / scale).astype(np.int8).astype(np.float32) * scale


def _largest(vectors: Floats) -> Floats:
    largest: Floats = np.abs(vectors).max(axis=1, keepdims=True)
    largest[largest == 0] = 1
    return largest


_TYPES: tuple[tuple[str, Callable[[int], int], Callable[[Floats], Floats]], ...] = (
    ("float16", lambda d: 2 * d, as_float16),
    ("int8", lambda d: d + 4, as_int8),
)
"""By type: bytes of a vector of d numbers, and the vectors after they were stored so."""
