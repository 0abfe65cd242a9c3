"""What a recommender answered: whether it may be measured, and which places are hits."""

import numpy as np

from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.evaluation.metrics import Bools
from recsys.retrieval.topk import TopK


def check_answer(name: str, answer: TopK, history: Csr, k: int) -> None:
    """Raise ModelError naming the model unless `answer` is a proper one for the queries of `history` (n, n_items).

    Proper: n rows of k places, items of the catalogue, none twice in a list, none of the user's history.
    """
    if answer.indices.shape != (history.shape[0], k):
        raise ModelError(f"{name}: answered {answer.indices.shape}, expected ({history.shape[0]}, {k}) places")
    held = answer.indices[answer.filled]
    if len(held) and (held.min() < 0 or held.max() >= history.shape[1]):
        raise ModelError(
            f"{name}: recommended items {held.min()} to {held.max()}, expected 0 to {history.shape[1] - 1}"
        )
    _refuse(name, "the same item twice", repeated(answer))
    _refuse(name, "an item of the user's own history", contains(history, answer))


def contains(rows: Csr, answer: TopK) -> Bools:
    """bool (n, k): whether the item at each place is stored in the same row of `rows`, canonical (n, n_items)."""
    held: Bools = answer.filled
    if rows.nnz == 0:
        return np.zeros(held.shape, np.bool_)
    row = np.repeat(np.arange(len(answer), dtype=np.int32), answer.k)
    column = np.where(held, answer.indices, 0).ravel()  # padding is -1: scipy would read it as the last item
    hits: Bools = (np.asarray(rows[row, column]).reshape(held.shape) != 0) & held
    return hits


def repeated(answer: TopK) -> Bools:
    """bool (n, k - 1): whether a row, once sorted, holds the same item at two neighbouring places."""
    ranked = np.sort(np.where(answer.filled, answer.indices, -1), axis=1)
    same: Bools = (ranked[:, 1:] == ranked[:, :-1]) & (ranked[:, 1:] >= 0)
    return same


def _refuse(name: str, what: str, wrong: Bools) -> None:
    if wrong.any():
        raise ModelError(f"{name}: recommended {what} to {int(wrong.any(axis=1).sum())} of {len(wrong)} users")
