import numpy as np
import pytest
from implicit.cpu.bpr import BayesianPersonalizedRanking

from recsys.data.matrix import InteractionMatrix
from recsys.errors import ModelError
from recsys.models.factors.bpr import BprConfig, train_bpr
from recsys.models.factors.model import FactorRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.exact import ExactSearch

EVERYBODY = np.arange(40, dtype=np.int32)


def _train(matrix, **keys):
    return train_bpr(matrix, BprConfig(**{"factors": 9, **keys}))


def _ask(model, queries, k):
    return FactorRecommender("bpr", model, ExactSearch(model.embeddings.scoring_items)).recommend(queries, k)


@pytest.fixture(scope="module")
def model(groups):
    return _train(groups)


@pytest.mark.parametrize("user_idx", [EVERYBODY, None])
def test_groups_stay_together_for_trained_users_and_from_histories_alone(model, groups, user_idx):
    top = _ask(model, Queries(groups.csr, user_idx), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()


@pytest.mark.parametrize("user_idx", [EVERYBODY, None])
def test_what_was_used_is_ranked_above_what_was_not(model, groups, user_idx):
    """The area under the curve that BPR maximises: the share of (used, not used) pairs in the right order."""
    vectors = model.embeddings.users if user_idx is not None else model.fold_in(groups.csr)
    ranked = np.argsort(-(vectors @ model.embeddings.scoring_items.T), axis=1)
    used = np.take_along_axis(groups.csr.toarray() > 0, ranked, axis=1)
    shares = [(row[:, None] & ~row)[np.triu_indices(30, 1)].sum() / (row.sum() * (~row).sum()) for row in used]
    assert np.mean(shares) > (0.9 if user_idx is not None else 0.8)


def test_two_fits_of_one_seed_are_the_same_to_the_bit(model, groups):
    again, other = _train(groups), _train(groups, seed=2)
    np.testing.assert_array_equal(again.embeddings.users, model.embeddings.users)
    np.testing.assert_array_equal(again.embeddings.items, model.embeddings.items)
    assert not np.array_equal(other.embeddings.users, model.embeddings.users)


def test_scores_are_those_of_implicit_with_the_popularity_it_takes_away(groups, matrix, csr):
    dense = groups.csr.toarray()
    dense[7] = 0
    solver = BayesianPersonalizedRanking(
        factors=8, learning_rate=0.05, regularization=0.005, iterations=100, num_threads=1, random_state=1
    )
    solver.fit(csr(dense), show_progress=False)
    expected = solver.user_factors @ solver.item_factors.T + np.log(np.maximum((dense > 0).sum(axis=0), 1))
    found = _train(matrix(dense)).embeddings
    scores = found.users @ found.scoring_items.T
    trained = np.flatnonzero(dense.any(axis=1))
    difference = (scores - expected)[trained]
    assert np.abs(difference - difference.mean(axis=1, keepdims=True)).max() < 1e-4
    assert not found.users[7].any()


def test_the_bias_of_an_item_counts_once_in_every_score(model, csr):
    """Whatever is in a history, one item or many, the part of a score that its biases make is the same."""
    rng = np.random.default_rng(2)
    folded = model.fold_in(csr(np.eye(6, 30) + (rng.random((6, 30)) < [[0], [0.1], [0.2], [0.4], [0.6], [0.9]])))
    np.testing.assert_allclose(folded[:, -1], model.embeddings.users[0, -1], rtol=1e-5)
    assert len(set(model.embeddings.users[:, -1].tolist())) == 1


def test_a_matrix_mapped_from_a_file_will_do(groups, tmp_path, model):
    groups.save(tmp_path)
    mapped = _train(InteractionMatrix.load(tmp_path))
    np.testing.assert_array_equal(mapped.embeddings.users, model.embeddings.users)


def test_an_empty_log_is_refused(matrix):
    with pytest.raises(ModelError, match="bpr: nothing to learn from"):
        _train(matrix(np.zeros((2, 3))))


def test_vectors_that_are_no_numbers_are_refused(groups):
    wild = BprConfig(factors=9, iterations=5).model_copy(update={"learning_rate": 1e30})  # no file may ask for it
    with pytest.raises(ModelError, match=r"bpr: the vectors are not finite; learning rate 1e\+30"):
        train_bpr(groups, wild)


@pytest.mark.parametrize(
    ("iterations", "looks"), [(2, [1, 2]), (10, list(range(1, 11))), (30, list(range(3, 31, 3)))]
)
def test_it_is_looked_at_ten_times_at_most_and_always_at_the_end(groups, iterations, looks):
    seen, told = {}, []
    config = BprConfig(factors=3, iterations=iterations)
    final = train_bpr(
        groups,
        config,
        progress=lambda *step: told.append(step),
        on_iteration=lambda done, model: seen.update({done: model.embeddings.users.copy()}),
    )
    assert list(seen) == looks
    assert told == [("bpr", done, iterations) for done in range(1, iterations + 1)]
    np.testing.assert_array_equal(seen[iterations], final.embeddings.users)
    shorter = train_bpr(groups, config.model_copy(update={"iterations": looks[0]}))
    np.testing.assert_array_equal(seen[looks[0]], shorter.embeddings.users)


def test_a_history_is_folded_in_by_the_ridge_regression_of_trained_vectors_on_item_means(model, groups):
    """The regression written out: centred means of the items' vectors, a penalty of 1 % of their mean variance."""
    users, items = model.embeddings.users[:, :-1], model.embeddings.items[:, :-1].astype(np.float64)
    seen = groups.csr.toarray() > 0
    means = (seen @ items) / seen.sum(axis=1, keepdims=True)
    centred = means - means.mean(axis=0)
    gram = centred.T @ centred
    weights = np.linalg.solve(gram + 0.01 * np.trace(gram) / 8 * np.eye(8), centred.T @ (users - users.mean(axis=0)))
    expected = users.mean(axis=0) + centred @ weights
    np.testing.assert_allclose(model.fold_in(groups.csr)[:, :-1], expected, atol=1e-4)
