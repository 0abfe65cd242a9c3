"""Scores that do not depend on how many users were asked about at once."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.models.embeddings import Embeddings
from recsys.retrieval.topk import TopK, top_k_from_sorted

MARGIN = 16
"""Ask the search for so many more, so that near-ties at the end of a list are settled here too."""

# Elements of the gathered item vectors of one block: 32 MiB of float32.
_GATHERED_PER_BLOCK = 8 * 2**20


def rescored(top: TopK, users: Floats, embeddings: Embeddings, *, k: int) -> TopK:
    """The k best of the candidates `top`, ordered by inner products summed in double precision.

    `users`: float32 (n, d), the vectors that `top` was found with. A search adds up float32 in an order that depends
    on how many queries share a block; two items a rounding error apart then trade places between a batch and a single
    question. Summed in float64 and rounded once, a score is the same whoever asks.
    """
    products = np.empty(top.scores.shape, np.float32)
    rows = max(1, _GATHERED_PER_BLOCK // max(1, top.k * embeddings.factors))
    for start in range(0, len(top), rows):
        block = slice(start, start + rows)
        products[block] = _inner_products(users[block], top.indices[block], embeddings)
    scores = np.where(top.filled, products, np.float32(-np.inf))
    order = np.lexsort((top.indices, -scores))
    indices = np.take_along_axis(top.indices, order, axis=1)
    return top_k_from_sorted(indices, np.take_along_axis(scores, order, axis=1), k)


def _inner_products(users: Floats, indices: Indices, embeddings: Embeddings) -> NDArray[np.float64]:
    """float64 (n, w): users (n, d) with the scaled vectors of the items `indices` (n, w); padding gets any number."""
    products: NDArray[np.float64] = np.einsum("nd,nwd->nw", users, embeddings.items[indices], dtype=np.float64)
    return products * embeddings.item_scale[indices]
