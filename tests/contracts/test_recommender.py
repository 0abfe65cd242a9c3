"""What holds for every Recommender."""

import numpy as np
import pytest

from recsys.config import IndexConfig, ModelConfig
from recsys.models.factors.bpr import BprRecommender
from recsys.models.factors.embedding_recommender import EmbeddingRecommender
from recsys.models.factors.item2vec import fit_item2vec
from recsys.models.factors.training import train_model
from recsys.models.neighbours.item_knn import ItemKnnRecommender
from recsys.models.recommender import Queries
from recsys.models.registry import BASELINES, fit_baseline
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.faiss_index import build_index
from recsys.retrieval.topk import stack

CONFIG = ModelConfig(factors=4, regularization=1.0, iterations=3, threads=1, popularity_exponent=0.1)


@pytest.fixture(scope="module")
def model(matrix):
    return train_model(matrix, CONFIG)


EMBEDDINGS = ["als exact", "als faiss", "folded in", "folded in faiss"]

# Who has no history is nobody to these: they answer nothing, rather than something arbitrary.
SPEECHLESS = {"folded in", "folded in faiss", "ease", "svd", "item2vec"}

# Small enough to be fitted in no time.
SMALL = {
    "item_knn": lambda matrix: ItemKnnRecommender.fit(matrix, neighbours=20),
    "bpr": lambda matrix: BprRecommender.fit(matrix, factors=4, iterations=3),
    "item2vec": lambda matrix: fit_item2vec(matrix, factors=4, epochs=1),
}


@pytest.fixture(scope="module", params=[*BASELINES, *EMBEDDINGS])
def recommender(request, matrix):
    if request.param == "item2vec":
        pytest.importorskip("gensim", reason="the extra `baselines` is not installed")
    if request.param in SMALL:
        return SMALL[request.param](matrix)
    if request.param in BASELINES:
        return fit_baseline(request.param, matrix)
    model = request.getfixturevalue("model")
    items = model.embeddings.scoring_items
    search = build_index(items, IndexConfig()) if "faiss" in request.param else ExactSearch(items)
    return EmbeddingRecommender(request.param, model, search)


@pytest.fixture(scope="module")
def queries(recommender, matrix):
    """Every user of the log; those to be folded in come without an index."""
    trained = not recommender.name.startswith("folded")
    return Queries(matrix.csr, np.arange(matrix.n_users, dtype=np.int32) if trained else None)


def _ask(recommender, queries, k):
    """Few at a time, as a service asks: an index may answer many at once in another way."""
    return stack([recommender.recommend(queries.batch(at, at + 7), k) for at in range(0, len(queries), 7)])


def _seen(queries, query):
    return queries.history.indices[queries.history.indptr[query] : queries.history.indptr[query + 1]]


@pytest.mark.parametrize("k", [1, 10, 400, 899, 900, 950])
class TestRecommender:
    def test_never_a_seen_item_nor_one_twice_nor_padding(self, recommender, queries, k):
        top = _ask(recommender, queries, k)
        for query, (indices, scores) in enumerate(top.rows()):
            assert not np.isin(indices, _seen(queries, query)).any()
            assert len(np.unique(indices)) == len(indices)
            assert ((indices >= 0) & (indices < queries.history.shape[1])).all()
            assert np.isfinite(scores).all()

    def test_short_only_where_fewer_are_left(self, recommender, queries, k):
        top = _ask(recommender, queries, k)
        left = queries.history.shape[1] - np.diff(queries.history.indptr)
        assert top.k == k
        np.testing.assert_array_equal(top.counts, np.minimum(left, k))

    def test_best_first_and_ties_by_lower_index(self, recommender, queries, k):
        for indices, scores in _ask(recommender, queries, k).rows():
            assert (scores[1:] <= scores[:-1]).all()
            tied = scores[1:] == scores[:-1]
            assert (indices[1:][tied] > indices[:-1][tied]).all()

    def test_the_first_of_many_are_the_few(self, recommender, queries, k):
        few, many = _ask(recommender, queries, k), _ask(recommender, queries, k + 7)
        np.testing.assert_array_equal(few.indices, many.indices[:, :k])


def test_the_same_question_gets_the_same_answer(recommender, queries):
    first, second = recommender.recommend(queries, 20), recommender.recommend(queries, 20)
    np.testing.assert_array_equal(first.indices, second.indices)
    np.testing.assert_array_equal(first.scores, second.scores)


def test_company_does_not_matter(recommender, queries):
    together = recommender.recommend(queries, 20)
    for query in range(0, len(queries), 7):
        alone = recommender.recommend(queries.batch(query, query + 1), 20)
        np.testing.assert_allclose(alone.row(0)[1], together.row(query)[1], rtol=1e-4, atol=1e-6)


def test_the_question_is_left_as_it_was(recommender, queries):
    arrays = [queries.history.data, queries.history.indices, queries.history.indptr]
    arrays += [] if queries.user_idx is None else [queries.user_idx]
    before = [array.copy() for array in arrays]
    recommender.recommend(queries, 20)
    for array, copy in zip(arrays, before, strict=True):
        np.testing.assert_array_equal(array, copy)


def test_an_empty_history_is_a_question_like_any_other(recommender, queries):
    empty = Queries(queries.history[:2] * 0, None if queries.user_idx is None else queries.user_idx[:2])
    empty.history.eliminate_zeros()
    expected = 0 if recommender.name in SPEECHLESS else 10
    assert recommender.recommend(empty, 10).counts.tolist() == [expected, expected]


def test_no_queries_no_answers(recommender, queries):
    assert len(recommender.recommend(queries.batch(0, 0), 10)) == 0


def test_its_name_is_a_word_for_reports(recommender):
    assert recommender.name
