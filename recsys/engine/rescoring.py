"""Scores that do not depend on how many users were asked about at once."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.models.factors.embeddings import Embeddings
from recsys.retrieval.threads import in_threads
from recsys.retrieval.topk import TopK, top_k_of_candidates

MARGIN = 16
"""Ask the search for so many more, so that near-ties at the end of a list are settled here too."""

# Elements of the gathered item vectors of one block: 2 MiB of float32, which stay in the cache of one core.
_GATHERED_PER_BLOCK = 2**19


def rescored(top: TopK, users: Floats, embeddings: Embeddings, *, k: int) -> TopK:
    """The k best of the candidates `top`, ordered by inner products summed in double precision.

    `users`: float32 (n, d), the vectors that `top` was found with. A search adds up float32 in an order that depends
    on how many queries share a block; two items a rounding error apart then trade places between a batch and a single
    question. Summed in float64 and rounded once, a score is the same whoever asks.
    """
    products = np.empty(top.scores.shape, np.float32)
    rows = max(1, _GATHERED_PER_BLOCK // max(1, top.k * embeddings.factors))

    def fill(start: int) -> None:
        block = slice(start, start + rows)
        products[block] = inner_products(users[block], top.indices[block], embeddings)

    in_threads(fill, range(0, len(top), rows))
    return top_k_of_candidates(top.indices, np.where(top.filled, products, np.float32(-np.inf)), k)


def inner_products(users: Floats, indices: Indices, embeddings: Embeddings) -> NDArray[np.float64]:
    """float64 (n, w): users (n, d) with the scaled vectors of the items `indices` (n, w); padding gets any number."""
    gathered = np.take(embeddings.items, indices, axis=0)
    products: NDArray[np.float64] = np.vecdot(gathered, users[:, None, :].astype(np.float64))
    return products * embeddings.item_scale[indices]
