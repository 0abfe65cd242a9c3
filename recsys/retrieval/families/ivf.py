"""Inverted files: items in cells around centres; a query is compared with the codes in the nearest cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.progress import Progress
from recsys.retrieval.families.faiss_structures import (
    Native,
    add_all,
    longest,
    mips_to_l2,
    native,
    padded,
    parse,
    threads_of_faiss,
    to_bytes,
)

# Cells: four times the square root of the number of items balances looking for cells and looking into them.
_CELLS_PER_ROOT, _SAMPLED_PER_CELL, _ROUNDS = 4, 40, 8
# A four-bit code has 16 values to learn; fewer vectors are repeated.
_LEAST_TRAINED = 16
# How many numbers of probes are tried between one number and its double.
_STEPS_PER_DOUBLING = 4
# faiss leaves more queries than these to BLAS, whose last bits depend on the processor and on its threads.
_QUERIES_AT_ONCE = 16
# Nanoseconds: to compare one dimension of a centre, to begin with a cell.
_CENTRE_DIMENSION, _CELL = 0.12, 900.0


@dataclass(frozen=True, eq=False)
class IvfStructure:
    """A faiss inverted file over augmented vectors. `memory`: the bytes in which it lies, which it does not keep."""

    native: Native
    memory: memoryview | None = None

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return int(self.native.nlist)

    def propose(self, queries: Floats, probes: int, count: int) -> NDArray[np.int64]:
        """The `count` best by their codes in the `probes` nearest cells; see `Structure.propose`."""
        parameters = native.SearchParametersIVF(nprobe=min(probes, self.n_cells))
        with threads_of_faiss(1):
            _, found = self.native.search(padded(queries), count, params=parameters)
        positions: NDArray[np.int64] = found
        return positions

    def visited(self, queries: Floats, probes: int) -> float:
        """The mean number of items in the `probes` cells nearest to each of `queries`, float32 (n, d).

        A count, not a clock: the same on every machine.
        """
        sizes = np.array([self.native.invlists.list_size(cell) for cell in range(self.n_cells)])
        total = 0
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            some = padded(queries[start : start + _QUERIES_AT_ONCE])
            total += int(sizes[self.native.quantizer.search(some, min(probes, self.n_cells))[1]].sum())
        return total / len(queries)

    def to_bytes(self) -> memoryview:
        """The bytes of a faiss file."""
        return to_bytes(self.native)


@dataclass(frozen=True)
class IvfFamily:
    """Inverted files of one kind of code.

    `make`: from a quantizer, the dimension of augmented vectors and a number of cells to an empty faiss inverted
    file. `code_price`: from the dimension of augmented vectors to nanoseconds per item that is visited.
    """

    name: str
    make: Callable[[Native, int, int], Native]
    code_price: Callable[[int], float]
    candidates: Sequence[int] = (128,)
    automatic: bool = False

    def build(self, vectors: Floats, *, seed: int, progress: Progress) -> IvfStructure:
        """Build with every core; beside the structure it takes memory for a sample and for one block of vectors.

        All augmented vectors and all centres have the same length, so that the nearest centre is the one with the
        largest inner product, and a query's product with a vector is that with its centre plus that with the
        residual, which alone is encoded: finer codes for the same bytes.
        """
        radius, n_cells = longest(vectors) or 1.0, _n_cells(len(vectors))
        sample = mips_to_l2(vectors[_sample(vectors, n_cells * _SAMPLED_PER_CELL, seed)], radius)
        quantizer = faiss.IndexFlatIP(sample.shape[1])
        quantizer.add(radius * _centres(sample, n_cells, seed))
        structure = self.make(quantizer, sample.shape[1], n_cells)
        structure.train(np.resize(sample, (max(_LEAST_TRAINED, len(sample)), sample.shape[1])))
        add_all(structure, vectors, radius, name=self.name, progress=progress)
        return IvfStructure(structure)

    def load(self, data: memoryview, shape: tuple[int, int]) -> IvfStructure:
        """See `IndexFamily.load`."""
        return IvfStructure(parse(data, shape, expected=faiss.IndexIVF), data)

    def probes(self, structure: IvfStructure) -> Sequence[int]:
        """Numbers of cells up to all of them, each about a fifth more than the one before."""
        return ladder(structure.n_cells)

    def nanoseconds(self, structure: IvfStructure, queries: Floats, probes: int) -> float:
        """Centres, cells, and the codes in them; see `IndexFamily.nanoseconds`."""
        factors = int(structure.native.d)
        cells = structure.n_cells * factors * _CENTRE_DIMENSION + probes * _CELL
        return cells + structure.visited(queries, probes) * self.code_price(factors)


def ladder(most: int) -> list[int]:
    """Numbers from 1 to `most`, each about a fifth more than the one before."""
    steps = int(np.log2(most) * _STEPS_PER_DOUBLING)
    return sorted({*(int(2 ** (step / _STEPS_PER_DOUBLING)) for step in range(steps + 1)), most})


def _n_cells(n_items: int) -> int:
    """A power of two, and no more than an eighth of the items."""
    wanted = min(_CELLS_PER_ROOT * n_items**0.5, n_items / 8)
    return int(2 ** max(0, round(np.log2(max(1, wanted)))))


def _sample(vectors: Floats, size: int, seed: int) -> NDArray[np.int64]:
    """Positions of up to `size` vectors, ascending; of those that are not all zero, if there are any."""
    known = np.flatnonzero(vectors.any(axis=1))
    drawn: NDArray[np.int64] = known if len(known) else np.arange(len(vectors))
    return np.sort(np.random.default_rng(seed).choice(drawn, min(len(drawn), size), replace=False))


def _centres(sample: Floats, n_cells: int, seed: int) -> Floats:
    """float32 (n_cells, d), of length one, by spherical k-means."""
    means = faiss.Kmeans(
        sample.shape[1],
        n_cells,
        niter=_ROUNDS,
        seed=seed,
        spherical=True,
        min_points_per_centroid=1,
        max_points_per_centroid=len(sample),
    )
    means.train(sample)
    return np.asarray(means.centroids, np.float32)
