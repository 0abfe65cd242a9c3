"""ivf_sq8: cells with a code of one byte per dimension."""

import faiss

from recsys.retrieval.families.faiss_structures import Native
from recsys.retrieval.families.ivf import IvfFamily


def _make(quantizer: Native, d: int, n_cells: int) -> Native:
    bits, by_residual = faiss.ScalarQuantizer.QT_8bit, True
    return faiss.IndexIVFScalarQuantizer(quantizer, d, n_cells, bits, faiss.METRIC_INNER_PRODUCT, by_residual)


IVF_SQ8 = IvfFamily("ivf_sq8", _make, code_price=lambda d: 0.12 * d, candidates=(128, 200), automatic=True)
