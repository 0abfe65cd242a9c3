"""ivf_pq: cells with product codes of four bits for one, two or four dimensions."""

import faiss

from recsys.retrieval.families.faiss_structures import Native
from recsys.retrieval.families.ivf import IvfFamily

# Up to the first number of dimensions each has its own code; up to the second two share one; above it four do.
_FINEST_FACTORS, _FINE_FACTORS = 144, 288
# faiss: each query by itself, so that its answer does not depend on others, its best in a reservoir.
_EACH_QUERY_ALONE = 11
# Nanoseconds per code that is looked at.
_CODE = 0.05


def _make(quantizer: Native, d: int, n_cells: int) -> Native:
    codes = d // dimensions_of_code(d)
    structure = faiss.IndexIVFPQFastScan(quantizer, d, n_cells, codes, 4, faiss.METRIC_INNER_PRODUCT)
    structure.pq.cp.min_points_per_centroid = 1
    structure.implem = _EACH_QUERY_ALONE
    return structure


def _make_codes(d: int) -> Native:
    codes = faiss.IndexPQFastScan(d, d // dimensions_of_code(d), 4, faiss.METRIC_INNER_PRODUCT)
    codes.pq.cp.min_points_per_centroid = 1
    return codes


def dimensions_of_code(factors: int) -> int:
    """How many dimensions one code stands for, if the augmented vectors have `factors`."""
    if factors <= _FINEST_FACTORS:
        return 1
    return 2 if factors <= _FINE_FACTORS else 4


IVF_PQ = IvfFamily(
    "ivf_pq",
    _make,
    code_price=lambda d: _CODE * d / dimensions_of_code(d),
    candidates=(128, 200, 400, 800, 1600),
    automatic=True,
    encoding=200.0,
    make_codes=_make_codes,
)
