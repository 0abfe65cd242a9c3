"""The families of approximate index: how each one's faiss structure is built, the same whatever the threads."""

from collections.abc import Callable
from typing import Any, Literal, TypeAlias

import faiss
import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats
from recsys.errors import ModelError
from recsys.progress import Progress
from recsys.retrieval.faiss_approximate import ApproximateIndex, Effort, threads_of_faiss
from recsys.retrieval.faiss_index import FaissIndex
from recsys.retrieval.mips_to_l2 import longest, mips_to_l2, padded_factors

Family: TypeAlias = Literal["hnsw", "ivf_flat", "ivf_sq8", "ivf_pq"]

# Cells: four times the square root of the number of items balances looking for cells and looking into them.
_CELLS_PER_ROOT, _SAMPLED_PER_CELL, _ROUNDS = 4, 40, 8
# A four-bit code has so many values to learn; fewer vectors are repeated.
_LEAST_TRAINED = 16
_LINKS, _EF_CONSTRUCTION = 32, 80
# Up to so many dimensions each has a four-bit code of its own, up to so many two share one, and above four.
_FINEST_FACTORS, _FINE_FACTORS = 144, 288
_ROWS_AT_ONCE = 65_536
# faiss: each query by itself, so that its answer does not depend on others, its best in a reservoir.
_EACH_QUERY_ALONE = 11
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
    with threads_of_faiss(1 if kind == "hnsw" else faiss.omp_get_max_threads()):
        for start in range(0, exact.n_items, _ROWS_AT_ONCE):
            structure.add(mips_to_l2(exact.vectors[start : start + _ROWS_AT_ONCE], radius))
            progress(f"build {kind}", min(start + _ROWS_AT_ONCE, exact.n_items), exact.n_items)
    return ApproximateIndex(kind, structure, exact, effort=Effort(1, 1))


def _hnsw(vectors: Floats) -> Any:
    structure = faiss.IndexHNSWFlat(padded_factors(vectors.shape[1]), _LINKS, faiss.METRIC_L2)
    structure.hnsw.efConstruction = _EF_CONSTRUCTION
    return structure


def _cells(kind: Family, vectors: Floats, radius: float, seed: int) -> Any:
    """An empty inverted file over augmented vectors.

    All of them and all centres are of length `radius`, so that the nearest centre is the one with the largest inner
    product, and a query's product with a vector is that with its centre plus that with the residual, which alone is
    encoded: finer codes for the same bytes.
    """
    n_cells = _n_cells(len(vectors))
    sample = mips_to_l2(vectors[_sample(len(vectors), n_cells * _SAMPLED_PER_CELL, seed)], radius)
    quantizer = faiss.IndexFlatIP(sample.shape[1])
    quantizer.add(radius * _centres(sample, n_cells, seed))
    structure = _STRUCTURES[kind](quantizer, sample.shape[1], n_cells)
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


def _flat(quantizer: Any, d: int, n_cells: int) -> Any:
    return faiss.IndexIVFFlat(quantizer, d, n_cells, _IP)


def _scalar(quantizer: Any, d: int, n_cells: int) -> Any:
    return faiss.IndexIVFScalarQuantizer(quantizer, d, n_cells, faiss.ScalarQuantizer.QT_8bit, _IP, True)


def _product(quantizer: Any, d: int, n_cells: int) -> Any:
    structure = faiss.IndexIVFPQFastScan(quantizer, d, n_cells, d // dimensions_of_code(d), 4, _IP)
    structure.pq.cp.min_points_per_centroid = 1
    structure.implem = _EACH_QUERY_ALONE
    return structure


def dimensions_of_code(factors: int) -> int:
    """How many dimensions one four-bit code of `ivf_pq` stands for, of augmented vectors with so many."""
    if factors <= _FINEST_FACTORS:
        return 1
    return 2 if factors <= _FINE_FACTORS else 4


_STRUCTURES: dict[str, Callable[[Any, int, int], Any]] = {
    "ivf_flat": _flat,
    "ivf_sq8": _scalar,
    "ivf_pq": _product,
}
