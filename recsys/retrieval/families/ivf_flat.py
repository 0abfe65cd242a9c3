"""ivf_flat: cells that hold the augmented vectors themselves."""

from typing import Any

import faiss

from recsys.retrieval.families.ivf import IvfFamily


def _make(quantizer: Any, d: int, n_cells: int) -> Any:
    return faiss.IndexIVFFlat(quantizer, d, n_cells, faiss.METRIC_INNER_PRODUCT)


IVF_FLAT = IvfFamily("ivf_flat", _make, code_price=lambda d: 0.25 * d)
"""As many probes as `ivf_sq8` and four times its memory, so `auto` does not try it."""
