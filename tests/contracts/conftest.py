"""A log with heavy and light users and items of every popularity, queries of every kind, and models of it."""

from collections.abc import Callable
from functools import cache

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix
from recsys.models.factors.item2vec import unavailable
from recsys.models.factors.model import FactorModel
from recsys.models.registry import fit_model, model_config

N_USERS, N_ITEMS = 60, 900


@pytest.fixture(scope="session")
def matrix() -> InteractionMatrix:
    """User u has used about 1.1 ** u items, mostly popular ones; the last two have used all, and all but three."""
    rng = np.random.default_rng(5)
    likely = 1 / np.arange(1, N_ITEMS + 1)
    dense = np.zeros((N_USERS, N_ITEMS), np.float32)
    for user in range(N_USERS):
        items = rng.choice(N_ITEMS, size=1 + int(1.1**user), replace=False, p=likely / likely.sum())
        dense[user, items] = rng.integers(1, 5, len(items))
    dense[-1] = 1
    dense[-2] = np.arange(N_ITEMS) % 300 > 0
    ids = (IdMap(pa.array([f"{at:04}" for at in range(size)])) for size in dense.shape)
    return InteractionMatrix(*ids, sp.csr_matrix(dense))


@pytest.fixture(scope="session")
def exclude(matrix: InteractionMatrix) -> Csr:
    """Everything each user has used, after one who has used nothing."""
    return sp.csr_matrix(sp.vstack([sp.csr_matrix((1, N_ITEMS), dtype=np.float32), matrix.csr]))


SMALL = {
    "als": {"factors": 4, "regularization": 1.0, "iterations": 3, "threads": 1},
    "bpr": {"factors": 5, "iterations": 10},
    "svd": {"factors": 4},
    "item2vec": {"factors": 4, "epochs": 2},
    "glove": {"factors": 4, "sweeps": 3},
}
"""Settings under which a fit takes no time."""


@pytest.fixture(scope="session")
def fit_small() -> Callable[[str, InteractionMatrix], FactorModel]:
    """fit_small(name, matrix): the model that an algorithm learns from a matrix in no time."""

    def fit(name: str, matrix: InteractionMatrix) -> FactorModel:
        if name == "item2vec" and unavailable():
            pytest.skip("the extra `baselines` is not installed")
        return fit_model(matrix, model_config({"algorithm": name, **SMALL.get(name, {})}))

    return fit


@pytest.fixture(scope="session")
def fitted(matrix: InteractionMatrix, fit_small: Callable[..., FactorModel]) -> Callable[[str], FactorModel]:
    """The model that an algorithm learns from `matrix`, by its name."""

    @cache
    def fit(name: str) -> FactorModel:
        return fit_small(name, matrix)

    return fit
