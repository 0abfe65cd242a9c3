"""Emphasis: how much more the items of a session count than the other items of a history."""

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import DataError


def session_emphasis(history: Indices, session: Indices, session_weight: float) -> Floats | None:
    """float32 (m,): for each item of `history` how much it counts; their mean is 1. None if all count the same.

    e_i = w_i * m / sum of w over the history; w_i is `session_weight` for the items of `session`, 1 for the others.
    The mean stays 1, so a session takes weight from the rest of the history and the size of scores stays.
    `history`: int32 (m,), distinct positions. `session`: int32 (n,), positions, some of them in `history`.
    """
    recent = np.isin(history, session)
    if session_weight == 1 or recent.all() or not recent.any():
        return None
    weight = np.where(recent, session_weight, 1.0)
    emphasis: Floats = (weight * (len(weight) / weight.sum())).astype(np.float32)
    return emphasis


def emphasised(entries: Csr, emphasis: Floats | None) -> Csr:
    """`entries`, canonical float32 CSR, each multiplied by its value of `emphasis`, float32 (nnz,), in their order.

    None leaves them as they are. The result shares the index arrays.
    Raises DataError if the lengths differ, or a value is not finite and above zero.
    """
    if emphasis is None:
        return entries
    if emphasis.shape != (entries.nnz,) or not (np.isfinite(emphasis) & (emphasis > 0)).all():
        raise DataError(f"emphasis: shape {emphasis.shape}, expected {entries.nnz} finite values above zero")
    return Csr((entries.data * emphasis, entries.indices, entries.indptr), shape=entries.shape)
