"""hnsw: a graph of near neighbours, followed from node to nearer node (Malkov, Yashunin 2018)."""

from collections.abc import Sequence
from dataclasses import dataclass

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.progress import Progress
from recsys.retrieval.exact import normalised
from recsys.retrieval.families.cells import Cells
from recsys.retrieval.families.faiss_structures import (
    Native,
    add_all,
    longest,
    native,
    padded,
    padded_factors,
    parse,
    threads_of_faiss,
    to_bytes,
)
from recsys.retrieval.families.family import Visits
from recsys.retrieval.families.ivf import ladder
from recsys.retrieval.families.structure_checks import check_graph

_LINKS, _EF_CONSTRUCTION = 32, 80
_MOST_PROBES = 2048
# Distances computed per node that is kept in view, about its links at the lowest level; nanoseconds per dimension.
_NEIGHBOURS_VISITED, _DIMENSION = 32, 1.2


@dataclass(frozen=True, eq=False)
class HnswStructure:
    """A faiss graph over augmented vectors. `memory`: the bytes in which it lies, which it does not keep."""

    native: Native
    memory: memoryview | None = None

    def propose(self, queries: Floats, probes: int, count: int) -> NDArray[np.int64]:
        """The `count` nearest of at least `probes` nodes in view (efSearch); see `Structure.propose`.

        Queries are scaled to one length, because the graph compares distances.
        """
        parameters = native.SearchParametersHNSW(efSearch=max(probes, count))
        with threads_of_faiss(1):
            _, found = self.native.search(padded(normalised(queries)), count, params=parameters)
        positions: NDArray[np.int64] = found
        return positions

    def to_bytes(self) -> memoryview:
        """The bytes of a faiss file."""
        return to_bytes(self.native)


class HnswFamily:
    """Graphs. `auto` does not try them: they have met no target of 0.99 by inner product; see docs/indexes.md."""

    name, automatic, candidates, in_cells = "hnsw", False, (128,), False

    def build(self, vectors: Floats, *, seed: int, progress: Progress, cells: Cells | None = None) -> HnswStructure:
        """Build in one thread, because the order of insertion decides the links."""
        structure = faiss.IndexHNSWFlat(padded_factors(vectors.shape[1]), _LINKS, faiss.METRIC_L2)
        structure.hnsw.efConstruction = _EF_CONSTRUCTION
        with threads_of_faiss(1):
            add_all(structure, vectors, longest(vectors) or 1.0, name=self.name, progress=progress)
        return HnswStructure(structure)

    def codes_alone(self, vectors: Floats, *, seed: int) -> None:
        """None: it has no codes."""

    def load(self, data: memoryview, shape: tuple[int, int]) -> HnswStructure:
        """See `IndexFamily.load`."""
        structure = parse(data, shape, expected=faiss.IndexHNSW)
        check_graph(structure)
        return HnswStructure(structure, data)

    def probes(self, structure: HnswStructure) -> Sequence[int]:
        """Numbers of nodes in view."""
        return ladder(_MOST_PROBES)

    def nanoseconds(self, structure: HnswStructure, queries: Floats, probes: int) -> float:
        """The distances that are computed; see `IndexFamily.nanoseconds`."""
        visited = min(structure.native.ntotal, probes * _NEIGHBOURS_VISITED)
        return float(visited * structure.native.d * _DIMENSION)

    def least_nanoseconds(self, shape: tuple[int, int], visits: Visits | None) -> float:
        """One distance per candidate; see `IndexFamily.least_nanoseconds`."""
        return float(min(shape[0], min(self.candidates)) * padded_factors(shape[1]) * _DIMENSION)

    def building_nanoseconds(self, shape: tuple[int, int]) -> float:
        """The distances of every insertion; see `IndexFamily.building_nanoseconds`."""
        return float(shape[0] * _EF_CONSTRUCTION * _NEIGHBOURS_VISITED * padded_factors(shape[1]) * _DIMENSION)


HNSW = HnswFamily()
