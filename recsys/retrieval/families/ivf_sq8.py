"""ivf_sq8: cells with a code of one byte per dimension."""

from typing import Any

import faiss

from recsys.retrieval.families.ivf import IvfFamily


def _make(quantizer: Any, d: int, n_cells: int) -> Any:
    bits, by_residual = faiss.ScalarQuantizer.QT_8bit, True
    return faiss.IndexIVFScalarQuantizer(quantizer, d, n_cells, bits, faiss.METRIC_INNER_PRODUCT, by_residual)


IVF_SQ8 = IvfFamily("ivf_sq8", _make, code_price=lambda d: 0.12 * d, candidates=(128, 200), automatic=True)
