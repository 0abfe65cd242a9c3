"""Rare items after the fit: exact vectors that are pulled to those of their content."""

from dataclasses import replace
from typing import Protocol

import numpy as np

from recsys.data.arrays import Floats, Indices, read_only
from recsys.data.matrix import Csr
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.item_solve import solve_items


class Pull(Protocol):
    """How an engine does what `with_prior` does with the matrix that the model was fitted on."""

    def __call__(self, model: AlsModel, rare: Indices, mean: Floats, *, strength: float) -> AlsModel:
        """The model with rare items pulled to their means, and all users solved again."""


def with_prior(model: AlsModel, rare: Indices, mean: Floats, *, strength: float, csr: Csr) -> AlsModel:
    """`model` in which the items `rare`, int32 (n,), are pulled to `mean`, float32 (n, d), instead of to zero.

    Their vectors are the exact solution for the users of the fit, with `strength` times the regularization; those of
    all other items stay to the bit. Then all users are solved again, so that a trained user is the one that is folded
    in. `csr`: float32 CSR (n_users, n_items) that the model was fitted on.
    """
    confidence = model.weighting.apply(csr)
    entries = confidence[:, rare].T.tocsr()
    entries.sort_indices()
    users = np.asarray(model.embeddings.users)
    items = model.embeddings.items.copy()
    items[rare] = solve_items(entries, users, mean, model.objective, strength=strength)
    filled = replace(model, embeddings=Embeddings(users, read_only(items), model.embeddings.item_scale))
    return filled.with_embeddings(replace(filled.embeddings, users=filled.equations.solve(confidence)))
