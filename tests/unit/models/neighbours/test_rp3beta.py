import numpy as np
import pytest

from recsys.models.neighbours.rp3beta import fit_rp3beta
from recsys.models.recommender import Queries


def _slow(dense, alpha, beta):
    """The walk as dense transition matrices, raised to alpha entry by entry, its ends discounted, rows as shares."""
    present = (dense > 0).astype(np.float64)
    to_items = (present / np.maximum(present.sum(axis=1, keepdims=True), 1)) ** alpha
    to_users = (present.T / np.maximum(present.T.sum(axis=1, keepdims=True), 1)) ** alpha
    walk = to_users @ to_items / np.maximum(present.sum(axis=0), 1) ** beta
    np.fill_diagonal(walk, 0)
    return walk / np.maximum(walk.sum(axis=1, keepdims=True), 1e-30)


@pytest.mark.parametrize(("alpha", "beta"), [(1.0, 0.0), (0.8, 0.3), (0.5, 1.0)])
def test_it_is_the_dense_formula(groups, alpha, beta):
    model = fit_rp3beta(groups, alpha=alpha, beta=beta)
    np.testing.assert_allclose(model.similarity.toarray(), _slow(groups.csr.toarray(), alpha, beta), atol=1e-6)
    assert model.name == "rp3beta"


def test_only_the_likeliest_ends_are_kept_and_share_one(groups):
    similarity = fit_rp3beta(groups, neighbours=3).similarity.toarray()
    every = _slow(groups.csr.toarray(), 0.8, 0.3)
    assert ((similarity > 0).sum(axis=1) == 3).all()
    np.testing.assert_allclose(similarity.sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_allclose(np.sort(every, axis=1)[:, -3:].sum(axis=1), (every * (similarity > 0)).sum(axis=1))


def test_beta_takes_from_the_popular(matrix, csr):
    # Items 1 and 2 share one user of as many items each with item 0; item 1 has three users more.
    log = matrix(np.array([[1, 1, 0], [1, 0, 1], [0, 1, 0], [0, 1, 0], [0, 1, 0]]))
    history = Queries(csr([[1, 0, 0]]), None)
    even, scores = fit_rp3beta(log, beta=0).recommend(history, 2).row(0)
    assert (even.tolist(), scores.tolist()) == ([1, 2], [0.5, 0.5])
    discounted, scores = fit_rp3beta(log, beta=1).recommend(history, 2).row(0)
    assert discounted.tolist() == [2, 1]
    np.testing.assert_allclose(scores, [0.8, 0.2], rtol=1e-6)


def test_groups_stay_together(groups):
    top = fit_rp3beta(groups).recommend(Queries(groups.csr, None), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()


def test_an_empty_log_has_no_neighbours(matrix, csr):
    model = fit_rp3beta(matrix(np.zeros((2, 3))))
    assert model.similarity.nnz == 0
    assert model.recommend(Queries(csr(np.zeros((1, 3))), None), 2).row(0)[0].tolist() == []
