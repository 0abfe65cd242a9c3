"""The value of the objective, computed in blocks of users."""

import numpy as np

from recsys.data.arrays import Doubles, Floats
from recsys.data.matrix import Csr, entries_per_column
from recsys.models.factors.als_solver.prior import ItemPrior
from recsys.models.factors.objective import AlsObjective

_VALUES = 2**22
"""Floats of the gathered item vectors of a block."""


def training_loss(
    confidence: Csr, objective: AlsObjective, users: Floats, items: Floats, prior: ItemPrior | None = None
) -> float:
    """The objective of `recsys.models.factors.als`, divided by the sum of all c_ui.

    `confidence`: canonical float32 (n_users, n_items). `users`: float32 (n_users, d). `items`: float32 (n_items, d).
    """
    unobserved, (n_users, n_items) = objective.unobserved_weight, confidence.shape
    of_users = objective.row_regularization(np.diff(confidence.indptr), n_items)
    of_items = objective.row_regularization(entries_per_column(confidence), n_users)
    total = unobserved * float((_gram(users) * _gram(items)).sum()) + observed_loss(
        confidence, unobserved, users, items
    )
    total += float(of_users @ squares_of(users))
    if prior is None:
        total += float(of_items @ squares_of(items))
    else:
        total += float((of_items * prior.strength) @ squares_of(items - prior.mean))
    unstored = n_users * n_items - confidence.nnz
    return total / (float(confidence.data.sum(dtype=np.float64)) + unobserved * unstored)


def observed_loss(confidence: Csr, unobserved: float, users: Floats, items: Floats) -> float:
    """Sum over stored entries of c (1 - score)^2 - unobserved score^2."""
    total, at_once = 0.0, max(_VALUES // users.shape[1], 1)
    for start in range(0, confidence.nnz, at_once):
        entries = slice(start, min(start + at_once, confidence.nnz))
        row = np.searchsorted(confidence.indptr, np.arange(entries.start, entries.stop), side="right") - 1
        score = np.einsum("ij,ij->i", users[row], items[confidence.indices[entries]]).astype(np.float64)
        total += float((confidence.data[entries] * (1 - score) ** 2 - unobserved * score**2).sum())
    return total


def _gram(vectors: Floats) -> Doubles:
    gram: Doubles = (vectors.T @ vectors).astype(np.float64)
    return gram


def squares_of(vectors: Floats) -> Doubles:
    """Float64 (n,): the squared length of each of `vectors`, float32 (n, d)."""
    squares: Doubles = np.einsum("ij,ij->i", vectors, vectors, dtype=np.float64)
    return squares
