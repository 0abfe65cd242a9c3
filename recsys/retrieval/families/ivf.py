"""Inverted files: items in cells around centres; a query is compared with the codes in the nearest cells."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import blake2b

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Doubles, Floats
from recsys.progress import Progress
from recsys.retrieval.families.cells import Cells, count_cells, drawn, faiss_threads, learn_cells
from recsys.retrieval.families.codes import Codes, codes_of
from recsys.retrieval.families.faiss_structures import (
    Native,
    add_all,
    mips_to_l2,
    native,
    padded,
    padded_factors,
    parse,
    threads_of_faiss,
    to_bytes,
)
from recsys.retrieval.families.family import Visits
from recsys.retrieval.families.structure_checks import check_cells

# Codes are learned from this many vectors per cell. A four-bit code has 16 values; fewer vectors are repeated.
_SAMPLED_PER_CELL, _LEAST_TRAINED = 40, 16
# A list of a hundred looks at no fewer codes.
_LEAST_VISITED = 100
# How many numbers of probes are tried between one number and its double.
_STEPS_PER_DOUBLING = 4
_KEPT_PARAMETERS = 1024
# faiss leaves more queries than these to BLAS, whose last bits depend on the processor and on its threads.
_QUERIES_AT_ONCE = 16
# Nanoseconds: to compare one dimension of a centre, to begin with a cell; one multiplication of a large product.
_CENTRE_DIMENSION, _CELL, _MULTIPLICATION = 0.12, 900.0, 0.033


@dataclass(frozen=True, eq=False)
class IvfStructure:
    """A faiss inverted file over augmented vectors. `memory`: the bytes in which it lies, which it does not keep."""

    native: Native
    memory: memoryview | None = None
    _last_visited: dict[bytes, Doubles] = field(default_factory=dict)

    @property
    def n_cells(self) -> int:
        """How many cells there are."""
        return int(self.native.nlist)

    def propose(self, queries: Floats, probes: int, count: int) -> NDArray[np.int64]:
        """The `count` best by their codes in the `probes` nearest cells; see `Structure.propose`."""
        parameters = _looking_into(min(probes, self.n_cells))
        with threads_of_faiss(1):
            _, found = self.native.search(padded(queries), count, params=parameters)
        positions: NDArray[np.int64] = found
        return positions

    def visited(self, queries: Floats, probes: int) -> float:
        """The mean number of items in the `probes` cells nearest to each of `queries`, float32 (n, d).

        A count, not a clock: the same on every machine.
        """
        return float(self._visited_by_probes(queries)[min(probes, self.n_cells) - 1])

    def _visited_by_probes(self, queries: Floats) -> Doubles:
        """float64 (n_cells,): `visited` for one probe and on. Tuning asks for many of the same queries."""
        asked = blake2b(queries.tobytes(), digest_size=16).digest()
        if (known := self._last_visited.get(asked)) is not None:
            return known
        sizes = np.array([self.native.invlists.list_size(cell) for cell in range(self.n_cells)])
        total = np.zeros(self.n_cells)
        for start in range(0, len(queries), _QUERIES_AT_ONCE):
            some = padded(queries[start : start + _QUERIES_AT_ONCE])
            with threads_of_faiss(1):
                _, nearest = self.native.quantizer.search(some, self.n_cells)
            total += sizes[nearest].sum(axis=0)
        visited: Doubles = total.cumsum() / len(queries)
        self._last_visited.clear()
        self._last_visited[asked] = visited
        return visited

    def to_bytes(self) -> memoryview:
        """The bytes of a faiss file."""
        return to_bytes(self.native)


@dataclass(frozen=True)
class IvfFamily:
    """Inverted files of one kind of code.

    `make`: from a quantizer, the dimension of augmented vectors and a number of cells to an empty faiss inverted
    file. `code_price`: from the dimension of augmented vectors to nanoseconds per item that is visited.
    `encoding`: nanoseconds per dimension of an item that is built in. `make_codes`: from the dimension of augmented
    vectors to an empty faiss index of the same codes without cells, if they are those of whole vectors and coarse.
    """

    name: str
    make: Callable[[Native, int, int], Native]
    code_price: Callable[[int], float]
    candidates: Sequence[int] = (128,)
    automatic: bool = False
    encoding: float = 25.0
    in_cells: bool = True
    make_codes: Callable[[int], Native] | None = None

    def build(self, vectors: Floats, *, seed: int, progress: Progress, cells: Cells | None = None) -> IvfStructure:
        """Build around the centres of `cells`, which are learned if there are none.

        Beside the structure it takes memory for a sample and for one block of vectors. A query's product with a
        vector is that with its centre plus that with the residual, which alone is encoded: finer codes for the same
        bytes. Codes are learned in one thread, because many short loops make threads wait for each other.
        """
        cells = learn_cells(vectors, seed=seed) if cells is None else cells
        sample = mips_to_l2(vectors[_learned_from(vectors, len(cells), seed)], cells.radius)
        structure = self.make(cells.quantizer(), sample.shape[1], len(cells))
        with threads_of_faiss(1):
            structure.train(np.resize(sample, (max(_LEAST_TRAINED, len(sample)), sample.shape[1])))
        with faiss_threads(len(vectors) * cells.centres.size):
            add_all(structure, vectors, cells.radius, name=self.name, progress=progress)
        return IvfStructure(structure)

    def codes_alone(self, vectors: Floats, *, seed: int) -> Codes | None:
        """The codes that `build` would make; see `IndexFamily.codes_alone`."""
        if self.make_codes is None:
            return None
        return codes_of(self.make_codes, vectors, _learned_from(vectors, count_cells(len(vectors)), seed))

    def load(self, data: memoryview, shape: tuple[int, int]) -> IvfStructure:
        """See `IndexFamily.load`."""
        structure = parse(data, shape, expected=faiss.IndexIVF)
        check_cells(structure)
        return IvfStructure(structure, data)

    def probes(self, structure: IvfStructure) -> Sequence[int]:
        """Numbers of cells up to all of them, each about a fifth more than the one before."""
        return ladder(structure.n_cells)

    def nanoseconds(self, structure: IvfStructure, queries: Floats, probes: int) -> float:
        """Centres, cells, and the codes in them; see `IndexFamily.nanoseconds`."""
        visits = Visits(structure.n_cells, probes, structure.visited(queries, probes))
        return self._looking(int(structure.native.d), visits)

    def least_nanoseconds(self, shape: tuple[int, int], visits: Visits | None) -> float:
        """Without a trial, one cell that holds all that is wanted; see `IndexFamily.least_nanoseconds`."""
        n_items, factors = shape
        least = visits or Visits(count_cells(n_items), 1, min(n_items, _LEAST_VISITED))
        return self._looking(padded_factors(factors), least)

    def building_nanoseconds(self, shape: tuple[int, int]) -> float:
        """To find the cell of every item and to encode it; see `IndexFamily.building_nanoseconds`."""
        n_items, factors = shape
        per_item = count_cells(n_items) * padded_factors(factors) * _MULTIPLICATION + factors * self.encoding
        return n_items * per_item

    def _looking(self, factors: int, visits: Visits) -> float:
        """`factors`: the dimension of augmented vectors."""
        cells = visits.n_cells * factors * _CENTRE_DIMENSION + visits.probes * _CELL
        return cells + visits.items * self.code_price(factors)


def _learned_from(vectors: Floats, n_cells: int, seed: int) -> NDArray[np.int64]:
    """Positions of the vectors that codes are learned from."""
    return drawn(vectors, n_cells * _SAMPLED_PER_CELL, seed)


@lru_cache(_KEPT_PARAMETERS)
def _looking_into(cells: int) -> Native:
    """faiss's parameters of a search, which it only reads."""
    return native.SearchParametersIVF(nprobe=cells)


def ladder(most: int) -> list[int]:
    """Numbers from 1 to `most`, each about a fifth more than the one before."""
    steps = int(np.log2(most) * _STEPS_PER_DOUBLING)
    return sorted({*(int(2 ** (step / _STEPS_PER_DOUBLING)) for step in range(steps + 1)), most})
