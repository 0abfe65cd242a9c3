import numpy as np
import pytest
from implicit.cpu.bpr import BayesianPersonalizedRanking

from recsys.data.matrix import InteractionMatrix
from recsys.errors import ModelError
from recsys.models.factors.bpr import BprRecommender
from recsys.models.recommender import Queries

EVERYBODY = np.arange(40, dtype=np.int32)


@pytest.fixture(scope="module")
def model(groups):
    return BprRecommender.fit(groups, factors=8)


def test_groups_stay_together(model, groups):
    top = model.recommend(Queries(groups.csr, EVERYBODY), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()


def test_what_was_used_is_ranked_above_what_was_not(model, groups, csr):
    """The area under the curve that BPR maximises: the share of (used, not used) pairs in the right order."""
    ranked = model.recommend(Queries(csr(np.zeros((40, 30))), EVERYBODY), 30).indices
    used = np.take_along_axis(groups.csr.toarray() > 0, ranked, axis=1)
    shares = [(row[:, None] & ~row)[np.triu_indices(30, 1)].sum() / (row.sum() * (~row).sum()) for row in used]
    assert np.mean(shares) > 0.9


def test_two_fits_of_one_seed_are_the_same_to_the_bit(model, groups):
    again, other = BprRecommender.fit(groups, factors=8), BprRecommender.fit(groups, factors=8, seed=2)
    np.testing.assert_array_equal(again.users, model.users)
    assert not np.array_equal(other.users, model.users)


def test_scores_are_those_of_implicit_with_the_popularity_it_takes_away(groups, matrix, csr):
    dense = groups.csr.toarray()
    dense[7] = 0
    solver = BayesianPersonalizedRanking(
        factors=8, learning_rate=0.05, regularization=0.005, iterations=100, num_threads=1, random_state=1
    )
    solver.fit(csr(dense), show_progress=False)
    expected = solver.user_factors @ solver.item_factors.T + np.log(np.maximum((dense > 0).sum(axis=0), 1))
    top = BprRecommender.fit(matrix(dense), factors=8).recommend(Queries(csr(np.zeros((40, 30))), EVERYBODY), 30)
    for user, (indices, values) in enumerate(top.rows()):
        np.testing.assert_allclose(values, expected[user, indices], rtol=1e-4, atol=1e-5)
    # A user without entries is ranked by the biases alone, which put the most popular in front.
    n_users = (dense > 0).sum(axis=0)
    assert n_users[top.indices[7, :10]].mean() > n_users[top.indices[7, 20:]].mean()


def test_a_matrix_mapped_from_a_file_will_do(groups, tmp_path):
    groups.save(tmp_path)
    BprRecommender.fit(InteractionMatrix.load(tmp_path), factors=2, iterations=1)


def test_somebody_training_never_saw_is_refused(model, groups):
    with pytest.raises(ModelError, match="bpr: knows the users it was trained on and nobody else"):
        model.recommend(Queries(groups.csr, None), 3)
    with pytest.raises(ModelError, match="bpr: user_idx 40 to 40, expected 0 to 39"):
        model.recommend(Queries(groups.csr[:1], np.array([40], np.int32)), 3)


def test_an_empty_log_is_refused(matrix):
    with pytest.raises(ModelError, match="bpr: nothing to learn from"):
        BprRecommender.fit(matrix(np.zeros((2, 3))))


def test_vectors_that_are_no_numbers_are_refused(groups):
    with pytest.raises(ModelError, match=r"bpr: the vectors are not finite; learning rate 1e\+30"):
        BprRecommender.fit(groups, factors=8, learning_rate=1e30, iterations=5)


def test_progress_counts_iterations(groups):
    told = []
    BprRecommender.fit(groups, factors=2, iterations=2, progress=lambda *step: told.append(step))
    assert told == [("bpr", 1, 2), ("bpr", 2, 2)]
