"""Reasons: what each thing a user did adds to the score of an item."""

import numpy as np

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.models.factors.fold_in import Doubles, solve, unseen_part


def contributions(
    confidence: Csr, items: Floats, targets: Indices, *, regularization: float, gram: Doubles
) -> Doubles:
    """Float64 (k, m): how much each of a history's m items adds to the score of each of k target items.

    `confidence`: one row, canonical float32 (1, n_items), weighed as training weighed its rows. `items`: float32
    (n_items, d), unscaled. `targets`: int32 (k,), positions. `gram`: float64 (d, d), `gram_matrix(items)`.
    With A the matrix of the row's equation in `fold_in.py`, a folded-in vector is A^-1 sum_i c_ui y_i,
    so a score is a sum over the history (Hu, Koren, Volinsky 2008, section 5):

        y_j . x_u = sum over i in H of  c_ui  y_j' A^-1 y_i

    A row of the result sums to that score. An empty history has no contributions: (k, 0).
    Raises ModelError where `confidence` is not one row, or the row has no unique solution.
    """
    if confidence.shape[0] != 1:
        raise ModelError(f"contributions: {confidence.shape[0]} histories, expected one")
    known = items[confidence.indices].astype(np.float64)
    weight = confidence.data.astype(np.float64)
    wanted = items[targets].astype(np.float64)
    towards = solve(unseen_part(gram, regularization), known, weight, right=wanted.T)
    parts: Doubles = (towards.T @ known.T) * weight
    return parts
