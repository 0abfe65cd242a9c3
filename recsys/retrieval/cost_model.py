"""What a query costs, from counts of what it does: the same on every machine and at every hour.

Families are compared by this and not by the clock, so that a busy machine does not publish another index, and so
another version, from the same log. The prices were measured on one core (`benchmarks/indexes.py` prints both);
what decides are their ratios.
"""

from recsys.data.arrays import Floats
from recsys.retrieval.faiss_approximate import ApproximateIndex, visited
from recsys.retrieval.faiss_families import dimensions_of_code
from recsys.retrieval.mips_to_l2 import padded_factors

PAYS_ABOVE = 2**20
"""With fewer floats of item vectors (4 MiB: 16,384 items of 64 factors) exact search takes a quarter of a
millisecond."""

MUST_PAY = 2.2
"""An approximation is published only where it is estimated so many times as quick as exact search: it may miss items,
and where questions are asked together, exact search gains more by sharing its product."""

# Nanoseconds: to compare one dimension of a vector or of a code, to begin with a cell, to find, fetch and compare one
# candidate, to ask at all.
_EXACT_DIMENSION, _CENTRE_DIMENSION = 0.15, 0.12
_CODE_DIMENSION = {"ivf_flat": 0.25, "ivf_sq8": 0.12, "hnsw": 1.2}
_PRODUCT_CODE, _CELL = 0.05, 900.0
_CANDIDATE, _CANDIDATE_DIMENSION = 120.0, 0.8
_ASKING = 50_000.0


def exact_microseconds(shape: tuple[int, ...]) -> float:
    """Estimated microseconds of one exact query over item vectors of `shape` (n_items, d)."""
    n_items, factors = shape
    return (_ASKING + n_items * factors * _EXACT_DIMENSION) / 1000


def estimated_microseconds(index: ApproximateIndex, vectors: Floats) -> float:
    """Estimated microseconds of one query at k = 100, averaged over `vectors`, float32 (n, d)."""
    factors = index.vectors.shape[1]
    longer = padded_factors(factors)
    cells = 0.0 if index.n_cells is None else index.n_cells * longer * _CENTRE_DIMENSION + index.effort.probes * _CELL
    codes = visited(index, vectors) * _code(index.kind, longer)
    candidates = index.effort.candidates * (_CANDIDATE + _CANDIDATE_DIMENSION * factors)
    return float(_ASKING + cells + codes + candidates) / 1000


def _code(kind: str, longer: int) -> float:
    if kind == "ivf_pq":
        return _PRODUCT_CODE * longer / dimensions_of_code(longer)
    return _CODE_DIMENSION[kind] * longer
