import numpy as np
import pytest
import scipy.sparse as sp
from scipy.optimize import minimize

from recsys.errors import ModelError
from recsys.models.factors.glove import GloveConfig, co_occurrences, fit_glove, train_glove
from recsys.models.factors.model import FactorRecommender
from recsys.models.recommender import Queries
from recsys.retrieval.exact import ExactSearch


def small(**keys):
    return GloveConfig(**{"factors": 2, "regularization": 0.3, "full_weight": 20.0, **keys})


@pytest.fixture(scope="module")
def counts():
    """How often seven items occur together; items 5 and 6 never do."""
    rng = np.random.default_rng(2)
    upper = np.triu(rng.integers(1, 60, (7, 7)), 1)
    upper[5, 6] = 0
    return sp.csr_matrix((upper + upper.T).astype(np.float32))


def objective(packed, counts, config):
    """J of Pennington, Socher, Manning (2014) with a ridge penalty, term by term, and its gradient."""
    n, d = counts.shape[0], config.factors
    rows = packed.reshape(2 * n, d + 1)
    dense = counts.toarray().astype(np.float64)
    items, contexts = rows[:n], rows[n:]
    weight = np.where(dense > 0, np.minimum(1, (dense / config.full_weight) ** 0.75), 0)
    target = np.log(np.where(dense > 0, dense, 1))
    error = items[:, :d] @ contexts[:, :d].T + items[:, [d]] + contexts[:, d] - target
    value = (weight * error**2).sum() + config.regularization * (packed**2).sum()
    gradient = 2 * config.regularization * rows
    gradient[:n, :d] += 2 * (weight * error) @ contexts[:, :d]
    gradient[n:, :d] += 2 * (weight * error).T @ items[:, :d]
    gradient[:n, d] += 2 * (weight * error).sum(axis=1)
    gradient[n:, d] += 2 * (weight * error).sum(axis=0)
    return value, gradient.ravel()


def packed(learned):
    items, contexts = (
        np.column_stack(side)
        for side in ((learned.items, learned.item_bias), (learned.contexts, learned.context_bias))
    )
    return np.concatenate([items, contexts]).ravel()


def test_the_gradient_of_the_objective_here_is_right(counts):
    """The reference checks itself, by differences."""
    at = np.random.default_rng(1).standard_normal(2 * 7 * 3)
    _, gradient = objective(at, counts, small())
    for place in (0, 2, 20, 41):
        step = np.zeros_like(at)
        step[place] = 1e-6
        difference = objective(at + step, counts, small())[0] - objective(at - step, counts, small())[0]
        assert gradient[place] == pytest.approx(difference / 2e-6, rel=1e-5, abs=1e-4)


def test_the_side_that_was_solved_last_has_gradient_zero(counts):
    config = small(sweeps=1)
    _, gradient = objective(packed(fit_glove(counts, config)), counts, config)
    items, contexts = gradient.reshape(2, -1)
    np.testing.assert_allclose(contexts, 0, atol=1e-9)
    assert np.abs(items).max() > 0.01


@pytest.fixture(scope="module")
def converged(counts):
    """After so many sweeps that another one changes nothing."""
    return packed(fit_glove(counts, small(sweeps=600)))


def test_each_sweep_lowers_the_objective_until_its_gradient_is_zero(counts, converged):
    values = [
        objective(packed(fit_glove(counts, small(sweeps=sweeps))), counts, small())[0] for sweeps in (1, 2, 4, 8, 50)
    ]
    assert values == sorted(values, reverse=True)
    value, gradient = objective(converged, counts, small())
    assert value <= values[-1]
    np.testing.assert_allclose(gradient, 0, atol=1e-3)


def test_a_dense_solver_finds_nothing_better(counts, converged):
    ours = objective(converged, counts, small())[0]
    rng = np.random.default_rng(3)
    theirs = [
        minimize(objective, rng.standard_normal(42), args=(counts, small()), jac=True, method="L-BFGS-B").fun
        for _ in range(5)
    ]
    assert ours == pytest.approx(min(theirs), rel=1e-3)


def test_planted_factors_are_found_again():
    """Counts that are the exponential of a matrix of rank two and biases."""
    rng = np.random.default_rng(5)
    vectors, bias = rng.standard_normal((30, 2)), rng.uniform(1, 3, 30)
    logs = vectors @ vectors.T + bias[:, None] + bias
    np.fill_diagonal(logs, -np.inf)
    learned = fit_glove(sp.csr_matrix(np.exp(logs).astype(np.float32)), small(regularization=1e-4, sweeps=200))
    found = learned.items @ learned.contexts.T + learned.item_bias[:, None] + learned.context_bias
    off = ~np.eye(30, dtype=bool)
    np.testing.assert_allclose(found[off], logs[off], atol=0.02)


def test_pairs_are_users_of_both_items(csr):
    log = csr(np.array([[5, 1, 1, 0], [1, 2, 0, 0], [0, 1, 1, 0], [0, 0, 0, 3]]))
    expected = [[0, 2, 1, 0], [2, 0, 2, 0], [1, 2, 0, 0], [0, 0, 0, 0]]
    assert co_occurrences(log, 3).toarray().tolist() == expected


def test_the_pairs_with_the_most_users_of_either_item_are_kept(csr):
    """Item 2 has each of the others as often; item 0 is before item 1."""
    log = csr(np.array([[1, 1, 1, 0], [1, 1, 0, 0], [0, 0, 0, 1]]))
    assert co_occurrences(log, 1).toarray().tolist() == [[0, 2, 1, 0], [2, 0, 0, 0], [1, 0, 0, 0], [0, 0, 0, 0]]


def test_groups_stay_together(groups):
    model = train_glove(groups, GloveConfig(factors=8))
    recommender = FactorRecommender("glove", model, ExactSearch(model.embeddings.scoring_items))
    top = recommender.recommend(Queries(groups.csr, None), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()


def test_two_fits_of_one_seed_are_the_same_to_the_bit(groups):
    first, again, other = (train_glove(groups, GloveConfig(factors=4, seed=seed)).sources for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.array_equal(first, other)


def test_an_item_that_nobody_used_beside_another_stands_for_nothing(matrix):
    dense = np.array([[1, 1, 0, 0], [1, 1, 0, 0], [0, 0, 5, 0]])
    model = train_glove(matrix(dense), GloveConfig(factors=4, regularization=0.01))
    assert model.sources.any(axis=1).tolist() == [True, True, False, False]
    assert model.embeddings.users.any(axis=1).tolist() == [True, True, False]


def test_no_user_of_two_items_is_refused(matrix):
    with pytest.raises(ModelError, match="glove: nothing to learn from: no user has used two items"):
        train_glove(matrix(np.eye(3)), GloveConfig())


def test_progress_counts_items_and_sweeps(groups):
    told = []
    train_glove(groups, GloveConfig(factors=4, sweeps=2), progress=lambda *step: told.append(step))
    assert told == [("glove, pairs", 30, 30), ("glove", 1, 2), ("glove", 2, 2)]
