import numpy as np
import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.matrix import InteractionMatrix, csr_from_pairs
from recsys.data.splits.hidden_items import hide_items


@pytest.fixture
def matrix() -> InteractionMatrix:
    rng = np.random.default_rng(0)
    dense = (rng.random((40, 30)) < 0.3) * rng.integers(1, 5, (40, 30))
    dense[:, 29] = 0
    row, col = (each.astype(np.int32) for each in np.nonzero(dense))
    csr = csr_from_pairs(row, col, dense[row, col].astype(np.float32), dense.shape)
    users, _ = IdMap.of(pa.array([f"u{at:02}" for at in range(40)]))
    items, _ = IdMap.of(pa.array([f"i{at:02}" for at in range(30)]))
    return InteractionMatrix(users, items, csr)


def test_every_entry_is_either_visible_or_hidden(matrix: InteractionMatrix) -> None:
    hidden = hide_items(matrix, 0.2, seed=1)
    assert len(hidden.items) == 6
    assert not hidden.visible.csr[:, hidden.items].nnz
    whole = matrix.csr.toarray()
    others = np.setdiff1d(np.arange(30), hidden.items)
    np.testing.assert_array_equal(hidden.visible.csr.toarray()[:, others], whole[:, others])
    np.testing.assert_array_equal(
        hidden.relevant.toarray()[:, hidden.items] > 0, whole[hidden.users][:, hidden.items] > 0
    )


def test_users_have_something_on_both_sides(matrix: InteractionMatrix) -> None:
    hidden = hide_items(matrix, 0.2, seed=1)
    assert (np.diff(hidden.relevant.indptr) > 0).all() and (np.diff(hidden.history.indptr) > 0).all()
    assert len(hide_items(matrix, 0.2, seed=1, max_users=5).users) == 5


def test_rare_items_and_those_that_must_stay_are_never_hidden(matrix: InteractionMatrix) -> None:
    stay = np.arange(0, 29, 2).astype(np.int32)
    hidden = hide_items(matrix, 1.0, seed=1, but_not=stay, min_users=10)
    assert not np.isin(hidden.items, stay).any()
    assert (matrix.item_degree[hidden.items] >= 10).all()
    assert set(np.flatnonzero(matrix.item_degree >= 10)) - set(stay) == set(hidden.items)


def test_the_seed_decides(matrix: InteractionMatrix) -> None:
    one, other = (hide_items(matrix, 0.2, seed=seed).items for seed in (1, 2))
    assert list(one) != list(other)
    np.testing.assert_array_equal(one, hide_items(matrix, 0.2, seed=1).items)
