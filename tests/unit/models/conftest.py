"""Small logs: one at random, one with two groups whose members like their group's items."""

from collections.abc import Callable

import numpy as np
import pyarrow as pa
import pytest
import scipy.sparse as sp

from recsys.data.arrays import Floats
from recsys.data.id_map import IdMap
from recsys.data.matrix import Csr, InteractionMatrix


def _csr(dense: Floats) -> Csr:
    return sp.csr_matrix(np.asarray(dense, np.float32))


def _matrix(dense: Floats) -> InteractionMatrix:
    ids = [
        IdMap(pa.array([f"{prefix}{at:04}" for at in range(size)]))
        for prefix, size in zip("ui", dense.shape, strict=True)
    ]
    return InteractionMatrix(*ids, _csr(dense))


@pytest.fixture(scope="session")
def csr() -> Callable[[Floats], Csr]:
    """Canonical CSR of what is not zero."""
    return _csr


@pytest.fixture(scope="session")
def matrix() -> Callable[[Floats], InteractionMatrix]:
    """The same with id maps."""
    return _matrix


@pytest.fixture(scope="session")
def confidence() -> Csr:
    """60 users, 40 items, confidences from 0.5 to 5.5; user 5 and item 7 have none."""
    rng = np.random.default_rng(0)
    dense = np.where(rng.random((60, 40)) < 0.15, 0.5 + 5 * rng.random((60, 40)), 0)
    dense[5], dense[:, 7] = 0, 0
    return _csr(dense)


@pytest.fixture(scope="session")
def groups() -> InteractionMatrix:
    """Users 0 to 19 use items 0 to 14, the others the other fifteen; each has used about half of them."""
    rng = np.random.default_rng(1)
    dense = np.zeros((40, 30))
    for users, items in ((slice(0, 20), slice(0, 15)), (slice(20, 40), slice(15, 30))):
        dense[users, items] = rng.integers(1, 4, (20, 15)) * (rng.random((20, 15)) < 0.5)
    return _matrix(dense)
