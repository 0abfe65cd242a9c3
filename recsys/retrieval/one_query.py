"""One query: the few items that a structure proposes are scored in double precision at once.

The steps that spare a batch most of that, a product in single precision and a bound for its error, take longer for so
few than they save. Scores are those of `totals`, so that a list is the same alone and in a batch.
"""

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices
from recsys.retrieval.rescoring import GATHERED_PER_BLOCK, inner_products
from recsys.retrieval.topk import TopK


def fits_one_query(n_candidates: int, factors: int) -> bool:
    """Whether so many candidates are scored in one block, which takes less than a tenth of a millisecond."""
    return n_candidates * factors <= GATHERED_PER_BLOCK


def best_of_proposed(
    proposed: NDArray[np.int64], query: Floats, vectors: Floats, *, k: int, zeros: Indices, excluded: Indices
) -> TopK | None:
    """The k best of the positions `proposed`, int64 (w,), each once, by inner product; None if they are fewer.

    `query`: float32 (1, d). `vectors`: float32 (n_items, d); what lies outside is no position. `zeros`, `excluded`:
    int32, ascending, positions that are never listed, and not for this query.
    """
    candidates = proposed[(proposed >= 0) & (proposed < len(vectors))].astype(np.int32)
    for left_out in (zeros, excluded):
        candidates = _without(candidates, left_out)
    if len(candidates) < k:
        return None
    scores = inner_products(query, vectors, candidates[None])[0]
    best = np.lexsort((candidates, -scores))[:k]
    return TopK(candidates[best][None], scores[best][None], np.array([k], np.int32))


def _without(candidates: Indices, left_out: Indices) -> Indices:
    """The `candidates` that are not `left_out`, int32, ascending."""
    if len(left_out) == 0:
        return candidates
    at = left_out.searchsorted(candidates)
    at[at == len(left_out)] = 0  # above the last one, so unlike the first one too
    kept: Indices = candidates[left_out[at] != candidates]
    return kept
