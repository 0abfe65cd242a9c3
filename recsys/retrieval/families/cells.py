"""Cells: the groups of items around centres that every family of inverted files looks into."""

from contextlib import AbstractContextManager
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.retrieval.exact import normalised
from recsys.retrieval.families.faiss_structures import (
    Native,
    longest,
    mips_to_l2,
    padded,
    padded_factors,
    threads_of_faiss,
)

# Four times the square root of the number of items balances looking for cells and looking into them.
_CELLS_PER_ROOT = 4
# Up to this many multiplications one thread is as quick as several, which wait for each other in short loops.
_FOR_ONE_THREAD = 2**35


@dataclass(frozen=True)
class Effort:
    """How carefully centres are learned: k-means of so many `rounds` over a sample of `per_cell` items per cell."""

    per_cell: int
    rounds: int

    def multiplications(self, shape: tuple[int, int]) -> float:
        """Of learning the cells of item vectors of `shape` (n_items, d)."""
        n_cells = count_cells(shape[0])
        sample = min(shape[0], self.per_cell * n_cells)
        return float(self.rounds) * sample * n_cells * padded_factors(shape[1])


QUICK, REFINED, AGAIN, THOROUGH = Effort(10, 2), Effort(40, 4), Effort(20, 2), Effort(40, 8)
"""Enough to tell whether cells can pay; enough after QUICK; enough after cells of the same directions that are
refined; enough from the start."""


@dataclass(frozen=True, eq=False)
class Cells:
    """`centres`: float32 (n_cells, padded_factors(d)), of length `radius`: that of the longest item vector.

    All augmented vectors and all centres have the same length, so the nearest centre is the one with the largest
    inner product.
    """

    centres: Floats
    radius: float

    def __len__(self) -> int:
        return len(self.centres)

    def quantizer(self) -> Native:
        """A faiss index of the centres."""
        flat = faiss.IndexFlatIP(self.centres.shape[1])
        flat.add(self.centres)
        return flat

    def of(self, vectors: Floats) -> NDArray[np.int64]:
        """int64 (n,): the cell of each item vector, float32 (n, d)."""
        with faiss_threads(vectors.shape[0] * self.centres.size):
            _, found = self.quantizer().search(mips_to_l2(vectors, self.radius), 1)
        cells: NDArray[np.int64] = found[:, 0]
        return cells

    def ranks(self, queries: Floats) -> NDArray[np.int64]:
        """int64 (n, n_cells): the place of each cell among those nearest to each query, float32 (n, d)."""
        order = np.argsort(-(padded(queries) @ self.centres.T), axis=1, kind="stable")
        places = np.empty_like(order)
        np.put_along_axis(places, order, np.arange(len(self))[None, :], axis=1)
        return places

    def by_direction(self, factors: int) -> "Cells":
        """Cells for the same item vectors, of dimension `factors`, scaled to length one."""
        directions = self.centres.copy()
        directions[:, factors:] = 0
        return Cells(normalised(directions), 1.0)


def learn_cells(vectors: Floats, *, seed: int, effort: Effort = THOROUGH, start: Cells | None = None) -> Cells:
    """Cells of item vectors, float32 (n_items, d), by spherical k-means, from the centres of `start` if given.

    It takes memory for a sample of the vectors.
    """
    radius, n_cells = longest(vectors) or 1.0, count_cells(len(vectors))
    sample = mips_to_l2(vectors[drawn(vectors, n_cells * effort.per_cell, seed)], radius)
    means = faiss.Kmeans(
        sample.shape[1],
        n_cells,
        niter=effort.rounds,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(sample),
    )
    with faiss_threads(effort.multiplications((len(vectors), vectors.shape[1]))):
        means.train(sample, init_centroids=None if start is None else normalised(start.centres))
    return Cells(np.float32(radius) * np.asarray(means.centroids, np.float32), radius)


def count_cells(n_items: int) -> int:
    """A power of two, and no more than an eighth of the items."""
    wanted = min(_CELLS_PER_ROOT * n_items**0.5, n_items / 8)
    return int(2 ** max(0, round(np.log2(max(1, wanted)))))


def drawn(vectors: Floats, size: int, seed: int) -> NDArray[np.int64]:
    """Positions of up to `size` vectors, ascending; of those that are not all zero, if there are any."""
    known = np.flatnonzero(vectors.any(axis=1))
    among: NDArray[np.int64] = known if len(known) else np.arange(len(vectors))
    return np.sort(np.random.default_rng(seed).choice(among, min(len(among), size), replace=False))


def faiss_threads(multiplications: float) -> AbstractContextManager[None]:
    """As many threads as faiss has for so much work: one if it is little."""
    return threads_of_faiss(1 if multiplications < _FOR_ONE_THREAD else faiss.omp_get_max_threads())
