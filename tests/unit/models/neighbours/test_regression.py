import numpy as np
import pytest
import scipy.sparse as sp

from recsys.models.neighbours.learning_users import FEWEST_USERS, WHOLE_GRAM, learning_users, steps_of
from recsys.models.neighbours.regression import regress_on_neighbours


def _log(n_users=120, n_items=30, *, seed=3, elsewhere=0.05):
    """Users of three groups, each with a taste for ten items of its own."""
    rng = np.random.default_rng(seed)
    chance = np.where(np.arange(n_users)[:, None] % 3 == np.arange(n_items) % 3, 0.4, elsewhere)
    return sp.csr_matrix((rng.random((n_users, n_items)) < chance).astype(np.float32))


def _widened(csr):
    """The same log in a catalogue whose whole Gram matrix is not made."""
    return sp.csr_matrix((csr.data, csr.indices, csr.indptr), shape=(csr.shape[0], 2 * WHOLE_GRAM))


def _slow(csr, *, neighbours, regularization):
    """Column by column, in double precision, from the formula."""
    r = csr.toarray().astype(np.float64)
    share = 1 / np.sqrt(np.maximum(r.sum(axis=1), 1))
    gram = r.T @ (share[:, None] * r)
    penalty = regularization * np.diag(gram).sum() / csr.nnz
    weights = np.zeros(gram.shape)
    for item, common in enumerate(gram.T):
        near = common / np.sqrt(np.maximum(np.diag(gram), 1e-30))
        near[item] = 0
        nearest = np.argsort(-near, kind="stable")[:neighbours]
        nearest = nearest[near[nearest] > 0]
        normal = gram[np.ix_(nearest, nearest)] + penalty * np.eye(len(nearest))
        weights[nearest, item] = np.linalg.solve(normal, common[nearest])
    return np.maximum(weights, 0)


@pytest.mark.parametrize(("neighbours", "regularization"), [(3, 1), (8, 50), (29, 5), (1000, 2)])
def test_it_is_the_slow_reference(neighbours, regularization):
    csr = _log()
    found = regress_on_neighbours(csr, neighbours=neighbours, regularization=regularization)
    slow = _slow(csr, neighbours=neighbours, regularization=regularization)
    assert (slow > 1e-4).sum() > 20
    np.testing.assert_allclose(found.toarray(), slow, atol=1e-4)


def test_all_items_as_neighbours_are_ease_of_weighed_users():
    """The closed form of Steck (2019): the inverse of the Gram matrix, each column divided by its diagonal."""
    csr = _log(elsewhere=0.2)  # every two items share a user
    r = csr.toarray().astype(np.float64)
    gram = r.T @ (r / np.sqrt(r.sum(axis=1, keepdims=True)))
    inverse = np.linalg.inv(gram + 10 * np.diag(gram).sum() / csr.nnz * np.eye(30))
    ease = np.maximum(-inverse / np.diag(inverse), 0)
    np.fill_diagonal(ease, 0)
    np.testing.assert_allclose(regress_on_neighbours(csr, regularization=10).toarray(), ease, atol=1e-4)


def test_weights_join_items_of_the_same_taste():
    weights = regress_on_neighbours(_log(600), neighbours=10, regularization=20).tocoo()
    same = weights.row % 3 == weights.col % 3
    assert weights.data[same].sum() > 10 * weights.data[~same].sum()


def test_values_do_not_count_and_empty_items_have_no_neighbours():
    csr = _log()
    csr = sp.csr_matrix(csr.multiply(np.arange(30) != 4).tocsr())
    csr.eliminate_zeros()
    louder = csr.copy()
    louder.data *= 7
    weights = regress_on_neighbours(csr)
    assert (weights != regress_on_neighbours(louder)).nnz == 0
    assert weights[4].nnz == weights[:, 4].nnz == 0
    assert regress_on_neighbours(csr[:0]).nnz == 0


def test_equal_items_are_taken_by_their_position():
    """Four items that the same users have: each keeps the first two of the others."""
    csr = sp.csr_matrix(np.ones((9, 4), np.float32))
    kept = regress_on_neighbours(csr, neighbours=2).toarray() > 0
    assert [np.flatnonzero(column).tolist() for column in kept.T] == [[1, 2], [0, 2], [0, 1], [0, 1]]


def test_threads_change_nothing(monkeypatch):
    csr = _widened(_log(300, 400, seed=5))
    many = regress_on_neighbours(csr, neighbours=20)
    monkeypatch.setattr("os.cpu_count", lambda: 1)
    alone = regress_on_neighbours(csr, neighbours=20)
    for part in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(alone, part), getattr(many, part))


def test_a_matrix_that_is_read_only_is_left_as_it_is():
    csr, writeable = _widened(_log()), _widened(_log())
    for part in ("indptr", "indices", "data"):
        getattr(csr, part).flags.writeable = False
    assert (regress_on_neighbours(csr) != regress_on_neighbours(writeable)).nnz == 0
    assert not csr.indices.flags.writeable


def test_a_large_log_is_learned_from_a_sample_of_its_users(caplog):
    csr = _log(6000)
    steps = steps_of(csr, 10)
    caplog.set_level("INFO")
    bounded = regress_on_neighbours(csr, neighbours=10, regularization=20, most_steps=steps / 4)
    told = [record.getMessage() for record in caplog.records if "neighbours: learned from" in record.getMessage()]
    assert len(told) == 1
    assert 1300 < int(told[0].split()[3]) < 1700
    assert (bounded != regress_on_neighbours(csr, neighbours=10, regularization=20)).nnz > 0
    same = bounded.tocoo().row % 3 == bounded.tocoo().col % 3
    assert bounded.data[same].sum() > 10 * bounded.data[~same].sum()


def test_a_sample_is_never_empty():
    """Users who have nearly everything take more than all steps alone: some are learned from all the same."""
    heavy = sp.csr_matrix((np.random.default_rng(0).random((40, 300)) < 0.9).astype(np.float32))
    users = learning_users(heavy, 10, most_steps=1.0)
    assert users is not None
    assert len(users) == 40
    many = sp.vstack([heavy] * 60, format="csr")
    few = learning_users(many, 10, most_steps=1.0)
    assert few is not None
    assert len(few) == FEWEST_USERS
    assert regress_on_neighbours(heavy, neighbours=10, most_steps=1.0).nnz > 0


def test_users_without_items_do_not_count_as_a_sample():
    few = sp.vstack([sp.csr_matrix((5000, 300), dtype=np.float32), sp.csr_matrix(np.ones((3, 300), np.float32))])
    users = learning_users(sp.csr_matrix(few), 10, most_steps=1.0)
    assert users is not None
    assert {5000, 5001, 5002} <= set(users.tolist())


def test_the_same_users_are_drawn_again():
    csr = _log(6000)
    first, second = (learning_users(csr, 10, most_steps=steps_of(csr, 10) / 2) for _ in range(2))
    assert first is not None
    np.testing.assert_array_equal(first, second)
    assert 2700 < len(first) < 3300
    assert learning_users(csr, 10) is None


def test_a_catalogue_too_large_for_its_whole_gram_matrix_has_the_same_weights():
    csr = _log()
    wide = _widened(csr)
    for neighbours in (4, 29):
        small = regress_on_neighbours(csr, neighbours=neighbours)
        large = regress_on_neighbours(wide, neighbours=neighbours)
        assert large.nnz == small.nnz
        np.testing.assert_allclose(large[:30, :30].toarray(), small.toarray(), atol=1e-6)
