"""The families of approximate index: how each one's faiss structure is built, the same whatever the threads."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal, TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.errors import ModelError
from recsys.progress import Progress
from recsys.retrieval.augmented import augmented, longest, padded_factors
from recsys.retrieval.faiss_approximate import ApproximateIndex, Effort
from recsys.retrieval.faiss_index import FaissIndex

Family: TypeAlias = Literal["hnsw", "ivf_flat", "ivf_sq8", "ivf_pq"]

# Cells: four times the square root of the number of items balances looking for cells and looking into them.
_CELLS_PER_ROOT, _SAMPLED_PER_CELL, _ROUNDS = 4, 40, 8
# A four-bit code has so many values to learn; fewer vectors are repeated.
_LEAST_TRAINED = 16
_LINKS, _EF_CONSTRUCTION = 32, 80
# Up to so many dimensions a four-bit code stands for two of them, above for four.
_FINE_FACTORS = 128
_ROWS_AT_ONCE = 65_536
_QUERY_LENGTH = 0.5
_IP = faiss.METRIC_INNER_PRODUCT


def build_family(kind: Family, exact: FaissIndex, *, seed: int, progress: Progress) -> ApproximateIndex:
    """Build `kind` over the vectors of `exact`, with the least effort. Raises ModelError where there are no items.

    Beside the structure itself it takes memory for a sample and for one block of vectors. HNSW is built in one
    thread, because the order of insertion decides its links; the others use every core.
    """
    if exact.n_items == 0:
        raise ModelError("index: there are no item vectors")
    radius = longest(exact.vectors) or 1.0
    structure = _hnsw(exact.vectors) if kind == "hnsw" else _cells(kind, exact.vectors, radius, seed)
    with _threads(1 if kind == "hnsw" else faiss.omp_get_max_threads()):
        for start in range(0, exact.n_items, _ROWS_AT_ONCE):
            structure.add(augmented(exact.vectors[start : start + _ROWS_AT_ONCE], radius))
            progress(f"build {kind}", min(start + _ROWS_AT_ONCE, exact.n_items), exact.n_items)
    return ApproximateIndex(kind, structure, exact, effort=Effort(1, 1), query_length=_QUERY_LENGTH * radius)


def _hnsw(vectors: Floats) -> Any:
    structure = faiss.IndexHNSWFlat(padded_factors(vectors.shape[1]), _LINKS, faiss.METRIC_L2)
    structure.hnsw.efConstruction = _EF_CONSTRUCTION
    return structure


def _cells(kind: Family, vectors: Floats, radius: float, seed: int) -> Any:
    """An empty inverted file: its cells are found by distance, what is in them is compared by inner product."""
    n_cells = _n_cells(len(vectors))
    sample = augmented(vectors[_sample(len(vectors), n_cells * _SAMPLED_PER_CELL, seed)], radius)
    quantizer = faiss.IndexFlatL2(sample.shape[1])
    quantizer.add(_centres(sample, n_cells, seed))
    structure = _STRUCTURES[kind](quantizer, sample.shape[1], n_cells)
    structure.by_residual = False
    structure.train(np.resize(sample, (max(_LEAST_TRAINED, len(sample)), sample.shape[1])))
    return structure


def _n_cells(n_items: int) -> int:
    """A power of two, and no more than an eighth of the items."""
    wanted = min(_CELLS_PER_ROOT * n_items**0.5, n_items / 8)
    return int(2 ** max(0, round(np.log2(max(1, wanted)))))


def _sample(n: int, size: int, seed: int) -> NDArray[np.int64]:
    chosen: NDArray[np.int64] = np.random.default_rng(seed).choice(n, min(n, size), replace=False)
    return np.sort(chosen)


def _centres(sample: Floats, n_cells: int, seed: int) -> Floats:
    """float32 (n_cells, d) by k-means."""
    means = faiss.Kmeans(
        sample.shape[1],
        n_cells,
        niter=_ROUNDS,
        seed=seed,
        min_points_per_centroid=1,
        max_points_per_centroid=len(sample),
    )
    means.train(sample)
    return np.asarray(means.centroids, np.float32)


def _flat(quantizer: Any, d: int, n_cells: int) -> Any:
    return faiss.IndexIVFFlat(quantizer, d, n_cells, _IP)


def _scalar(quantizer: Any, d: int, n_cells: int) -> Any:
    return faiss.IndexIVFScalarQuantizer(quantizer, d, n_cells, faiss.ScalarQuantizer.QT_8bit, _IP, False)


def _product(quantizer: Any, d: int, n_cells: int) -> Any:
    structure = faiss.IndexIVFPQFastScan(quantizer, d, n_cells, d // dimensions_of_code(d), 4, _IP)
    structure.pq.cp.min_points_per_centroid = 1
    return structure


def dimensions_of_code(factors: int) -> int:
    """How many dimensions one four-bit code of `ivf_pq` stands for."""
    return 2 if factors <= _FINE_FACTORS else 4


_STRUCTURES: dict[str, Callable[[Any, int, int], Any]] = {
    "ivf_flat": _flat,
    "ivf_sq8": _scalar,
    "ivf_pq": _product,
}


@contextmanager
def _threads(n: int) -> Iterator[None]:
    """`n` threads for what faiss does meanwhile in this one."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)
