from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.errors import ModelError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.model import FactorRecommender
from recsys.models.neighbours.weights import NeighbourWeights
from recsys.models.recommender import Queries
from recsys.models.registry import fit_model
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.flat_index import build_index

CONFIG = AlsConfig(factors=3, regularization=0.5, alpha=5.0, iterations=10, threads=1, popularity_exponent=0.3)


@pytest.fixture(scope="module")
def model(groups):
    return fit_model(groups, CONFIG)


@pytest.fixture(scope="module", params=["exact", "faiss"])
def recommender(request, model):
    items = model.embeddings.scoring_items
    search = ExactSearch(items) if request.param == "exact" else build_index(items)
    return FactorRecommender("als", model, search)


def _lists(top):
    return [indices.tolist() for indices, _ in top.rows()]


def test_scores_are_inner_products_with_scaled_items_and_what_neighbours_add(recommender, model, groups):
    users = np.array([3, 30, 3], np.int32)
    top = recommender.recommend(Queries(groups.csr[users], users), 4)
    scores = model.embeddings.users[users] @ model.embeddings.scoring_items.T
    scores += model.neighbours.added(groups.csr[users]).toarray()
    for query, (indices, values) in enumerate(top.rows()):
        np.testing.assert_allclose(values, scores[query, indices], rtol=1e-5)
    assert _lists(top)[0] == _lists(top)[2]


def test_neighbours_of_the_history_add_to_the_scores_of_every_query(recommender, model, groups):
    """More queries than are summed together; some of the users have no vector, and no answer."""
    weights = np.random.default_rng(1).random((30, 30)).astype(np.float32)
    np.fill_diagonal(weights, 0)
    users = model.embeddings.users.copy()
    users[7] = 0
    local = replace(model, embeddings=replace(model.embeddings, users=users)).with_neighbours(
        NeighbourWeights(sp.csr_matrix(weights), 0.5)
    )
    asked = np.arange(1_300, dtype=np.int32) % 40
    top = replace(recommender, model=local).recommend(Queries(groups.csr[asked], asked), 4)
    used = groups.csr.toarray() > 0
    scores = users @ model.embeddings.scoring_items.T + 0.5 * used @ weights
    scores[used] = -np.inf
    for user, (indices, values) in zip(asked, top.rows(), strict=True):
        best = np.argsort(-scores[user])[:4] if user != 7 else []
        np.testing.assert_array_equal(indices, best)
        np.testing.assert_allclose(values, scores[user, best], rtol=1e-5)
    assert len(replace(recommender, model=local).recommend(Queries(groups.csr[:0], asked[:0]), 4)) == 0


def test_users_get_items_of_their_group(recommender, groups):
    top = recommender.recommend(Queries(groups.csr, np.arange(40, dtype=np.int32)), 3)
    assert (top.indices[:20] < 15).all()
    assert (top.indices[20:] >= 15).all()


def test_without_an_index_the_history_speaks(recommender, csr):
    history = np.zeros((2, 30))
    history[0, [1, 4]], history[1, [20, 22, 25]] = 1, 1
    top = recommender.recommend(Queries(csr(history), None), 5)
    assert (top.indices[0] < 15).all()
    assert (top.indices[1] >= 15).all()
    assert not set(_lists(top)[0]) & {1, 4}


def test_a_trained_user_may_ask_with_an_empty_history(recommender, model, csr):
    top = recommender.recommend(Queries(csr(np.zeros((1, 30))), np.array([3], np.int32)), 30)
    scores = model.embeddings.users[3] @ model.embeddings.scoring_items.T
    np.testing.assert_allclose(top.row(0)[1], -np.sort(-scores), rtol=1e-4, atol=1e-6)


def test_nobody_is_recommended_nothing(recommender, csr):
    history = np.zeros((3, 30))
    history[1, 2] = 1
    top = recommender.recommend(Queries(csr(history), None), 4)
    assert top.counts.tolist() == [0, 4, 0]
    assert _lists(recommender.recommend(Queries(csr(history[:1]), None), 4)) == [[]]


def test_a_trained_user_without_entries_is_nobody_too(matrix, csr):
    dense = np.array([[1, 1, 0], [0, 0, 0], [0, 1, 1]])
    model = fit_model(matrix(dense), CONFIG)
    recommender = FactorRecommender("als", model, ExactSearch(model.embeddings.scoring_items))
    top = recommender.recommend(Queries(csr(dense), np.arange(3, dtype=np.int32)), 2)
    assert _lists(top) == [[2], [], [0]]


def test_no_queries_no_answers(recommender, groups):
    assert len(recommender.recommend(Queries(groups.csr[:0], None), 4)) == 0
    assert len(recommender.recommend(Queries(groups.csr[:0], np.zeros(0, np.int32)), 4)) == 0


@pytest.mark.parametrize("user", [-1, 40])
def test_a_user_out_of_range_is_nobody_elses(recommender, groups, user):
    with pytest.raises(ModelError, match=f"user_idx {user} to {user}, expected 0 to 39"):
        recommender.recommend(Queries(groups.csr[:1], np.array([user], np.int32)), 4)


def test_a_search_over_other_items_is_refused(model):
    with pytest.raises(ModelError, match="the search holds 2 items, the model 30"):
        FactorRecommender("als", model, ExactSearch(np.ones((2, 3), np.float32)))
