"""ivf_flat: cells that hold the augmented vectors themselves."""

import faiss

from recsys.retrieval.families.faiss_structures import Native
from recsys.retrieval.families.ivf import IvfFamily


def _make(quantizer: Native, d: int, n_cells: int) -> Native:
    return faiss.IndexIVFFlat(quantizer, d, n_cells, faiss.METRIC_INNER_PRODUCT)


IVF_FLAT = IvfFamily("ivf_flat", _make, code_price=lambda d: 0.25 * d)
"""As many probes as `ivf_sq8` and four times its memory, so `auto` does not try it."""
