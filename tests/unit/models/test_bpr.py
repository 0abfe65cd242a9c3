import numpy as np
import pytest

from recsys.errors import ModelError
from recsys.models.bpr import BprRecommender
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


def test_without_a_taste_to_know_the_popular_comes_first(matrix, csr):
    """Everybody draws from the same 40 items, the first of which are the most popular; the last user did nothing."""
    rng = np.random.default_rng(3)
    likely = np.linspace(0.8, 0.05, 40)
    dense = (rng.random((200, 40)) < likely).astype(np.float32)
    dense[-1] = 0
    model = BprRecommender.fit(matrix(dense), factors=4, regularization=0.1)
    ranked = model.recommend(Queries(csr(np.zeros((1, 40))), np.array([199], np.int32)), 40).row(0)[0]
    assert np.corrcoef(np.argsort(ranked), -dense.sum(axis=0))[0, 1] > 0.9


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
