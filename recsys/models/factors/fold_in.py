"""Fold-in of ALS: a user vector solved from a history alone, and what each item of the history adds to a score."""

from contextlib import nullcontext

import numpy as np
from scipy.linalg import lapack
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Doubles, Floats, Indices
from recsys.data.confidence import ConfidenceWeighting
from recsys.data.emphasis import emphasised
from recsys.data.matrix import Csr
from recsys.errors import ModelError

# From this many rows on, turning BLAS threads off (milliseconds) costs less than threads cost in small solves.
_MANY_ROWS = 16


def fold_in(
    history: Csr,
    items: Floats,
    *,
    weighting: ConfidenceWeighting,
    regularization: float,
    gram: Doubles | None = None,
    emphasis: Floats | None = None,
) -> Floats:
    """Float32 (n, d): for each row of `history` the user vector that is best for the given item vectors.

    `history`: canonical float32 (n, n_items), counts, which `weighting` turns into confidence. `items`: float32
    (n_items, d), unscaled. `gram`: float64 (d, d), `gram_matrix(items)` if the caller keeps it. `emphasis`: float32
    (nnz,), multiplies the confidence of each entry. The exact minimum of one row of the objective of
    `recsys.models.factors.als`, which training approaches by conjugate gradient:

        x_u = (Y'Y + sum over i in H of (c_ui - 1) y_i y_i' + regularization I)^-1  sum over i in H of c_ui y_i

    (Hu, Koren, Volinsky 2008, equation 4). An empty history gives the zero vector.
    Raises DataError if `history` is not over the items of training, ModelError if a row has no unique solution.
    """
    confidence = emphasised(weighting.apply(history), emphasis)
    if len(items) != confidence.shape[1]:
        raise ModelError(f"fold-in: {len(items)} item vectors for a history over {confidence.shape[1]} items")
    unseen = unseen_part(gram_matrix(items) if gram is None else gram, regularization)
    vectors = np.zeros((confidence.shape[0], items.shape[1]), np.float32)
    with threadpool_limits(1, "blas") if len(vectors) >= _MANY_ROWS else nullcontext():
        for row in np.flatnonzero(np.diff(confidence.indptr)):
            stored = slice(confidence.indptr[row], confidence.indptr[row + 1])
            known = items[confidence.indices[stored]].astype(np.float64)
            weight = confidence.data[stored].astype(np.float64)
            vectors[row] = solve(unseen, known, weight, right=weight @ known)
    return vectors


def contributions(
    confidence: Csr, items: Floats, targets: Indices, *, regularization: float, gram: Doubles
) -> Doubles:
    """Float64 (k, m): how much each of the m items of a history adds to the score of each of k target items.

    `confidence`: one row, canonical float32 (1, n_items), of the fitted weighting. `items`: float32
    (n_items, d), unscaled. `targets`: int32 (k,), positions. `gram`: float64 (d, d), `gram_matrix(items)`.
    With A the matrix of the row's equation in `fold_in`, a folded-in vector is A^-1 sum_i c_ui y_i,
    so a score is a sum over the history (Hu, Koren, Volinsky 2008, section 5):

        y_j . x_u = sum over i in H of  c_ui  y_j' A^-1 y_i

    A row of the result sums to that score. An empty history has no contributions: (k, 0).
    Raises ModelError if `confidence` is not one row, or the row has no unique solution.
    """
    if confidence.shape[0] != 1:
        raise ModelError(f"contributions: {confidence.shape[0]} histories, expected one")
    known = items[confidence.indices].astype(np.float64)
    weight = confidence.data.astype(np.float64)
    wanted = items[targets].astype(np.float64)
    towards = solve(unseen_part(gram, regularization), known, weight, right=wanted.T)
    parts: Doubles = (towards.T @ known.T) * weight
    return parts


def gram_matrix(items: Floats, *, block_rows: int = 65_536) -> Doubles:
    """Float64 (d, d): Y'Y of `items` float32 (n_items, d), summed in double precision, `block_rows` at a time."""
    gram = np.zeros((items.shape[1], items.shape[1]))
    for start in range(0, len(items), block_rows):
        block = items[start : start + block_rows].astype(np.float64)
        gram += block.T @ block
    return gram


def unseen_part(gram: Doubles, regularization: float) -> Doubles:
    """Float64 (d, d): Y'Y + regularization I, the part of the equation that is the same for every history."""
    unseen = gram.copy()
    np.fill_diagonal(unseen, gram.diagonal() + regularization)
    return unseen


def solve(unseen: Doubles, vectors: Doubles, confidence: Doubles, *, right: Doubles) -> Doubles:
    """A^-1 `right`, where A is the matrix of one history's equation in `fold_in`; `right`: float64 (d,) or (d, k).

    `unseen`: float64 (d, d), see `unseen_part`. `vectors`: float64 (m, d), of the history's items. `confidence`:
    float64 (m,). Raises ModelError if A has no inverse.
    """
    normal = unseen + (vectors.T * (confidence - 1)) @ vectors
    solution: Doubles
    _, solution, failed = lapack.dposv(normal, right, lower=True, overwrite_a=True)
    if failed or not np.isfinite(solution).all():
        raise ModelError("fold-in: a row has no unique solution; regularization must be above zero")
    return solution
