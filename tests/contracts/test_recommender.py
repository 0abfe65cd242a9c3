"""What holds for every Recommender."""

import numpy as np
import pytest

from recsys.data.matrix import InteractionMatrix, empty_csr
from recsys.models.algorithm import Baseline
from recsys.models.factors.model import FactorRecommender
from recsys.models.neighbours.item_knn import ItemKnnRecommender
from recsys.models.recommender import Queries
from recsys.models.registry import ALGORITHMS, fit_baseline, publishable
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.flat_index import build_index
from recsys.retrieval.topk import stack

BASELINES = [name for name, known in ALGORITHMS.items() if isinstance(known, Baseline)]
FACTORS = [*publishable(), *(f"folded in {name}" for name in publishable()), "als faiss", "folded in als faiss"]


def _has_no_answer(name):
    """Whether an empty history has none, rather than an arbitrary one."""
    return name.startswith("folded in") or name == "ease"


@pytest.fixture(scope="module", params=[*BASELINES, *FACTORS])
def recommender(request, matrix, fitted):
    if request.param == "item_knn":
        return ItemKnnRecommender.fit(matrix, neighbours=20)
    if request.param in BASELINES:
        return fit_baseline(request.param, matrix)
    name = request.param.removeprefix("folded in ").removesuffix(" faiss")
    model = fitted(name)
    items = model.embeddings.scoring_items
    search = build_index(items) if "faiss" in request.param else ExactSearch(items)
    return FactorRecommender(request.param, model, search)


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


@pytest.fixture(scope="module", params=[1, 10, 400, 899, 900, 950])
def k(request):
    return request.param


@pytest.fixture(scope="module")
def top(recommender, queries, k):
    """What every user gets."""
    return _ask(recommender, queries, k)


class TestRecommender:
    def test_never_a_seen_item_nor_one_twice_nor_padding(self, queries, top):
        for query, (indices, scores) in enumerate(top.rows()):
            assert not np.isin(indices, _seen(queries, query)).any()
            assert len(np.unique(indices)) == len(indices)
            assert ((indices >= 0) & (indices < queries.history.shape[1])).all()
            assert np.isfinite(scores).all()

    def test_short_only_where_fewer_are_left(self, queries, k, top):
        left = queries.history.shape[1] - np.diff(queries.history.indptr)
        assert top.k == k
        np.testing.assert_array_equal(top.counts, np.minimum(left, k))

    def test_best_first_and_ties_by_lower_index(self, top):
        for indices, scores in top.rows():
            assert (scores[1:] <= scores[:-1]).all()
            tied = scores[1:] == scores[:-1]
            assert (indices[1:][tied] > indices[:-1][tied]).all()

    def test_the_first_of_many_are_the_few(self, recommender, queries, k, top):
        many = _ask(recommender, queries, k + 7)
        np.testing.assert_array_equal(top.indices, many.indices[:, :k])


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
    expected = 0 if _has_no_answer(recommender.name) else 10
    assert recommender.recommend(empty, 10).counts.tolist() == [expected, expected]


def test_what_is_left_out_need_not_be_the_history(recommender, queries):
    part = queries.batch(0, 5)
    top = recommender.recommend(Queries(part.history, part.user_idx, empty_csr(part.history.shape)), 900)
    for query, (indices, _) in enumerate(top.rows()):
        assert np.isin(_seen(part, query), indices).all()
    other = Queries(part.history, part.user_idx, queries.history[5:10])
    for query, (indices, _) in enumerate(recommender.recommend(other, 900).rows()):
        assert not np.isin(indices, _seen(queries, 5 + query)).any()


def test_no_queries_no_answers(recommender, queries):
    assert len(recommender.recommend(queries.batch(0, 0), 10)) == 0


@pytest.fixture(scope="module")
def with_new_items(matrix):
    """A part of the log, over its items and as many that nobody has used, spread among them."""
    part = InteractionMatrix(
        matrix.users, matrix.items.take(np.arange(0, 900, 2, dtype=np.int32)), matrix.csr[:, ::2]
    )
    return part.with_items(matrix.items)


@pytest.mark.parametrize("name", [*BASELINES, *publishable()])
def test_an_item_without_training_users_is_never_listed(with_new_items, fit_small, name):
    known = np.flatnonzero(np.diff(with_new_items.csr.indptr)).astype(np.int32)
    if name in BASELINES:
        recommender = fit_baseline(name, with_new_items)
    else:
        model = fit_small(name, with_new_items)
        assert not model.embeddings.items[1::2].any()
        recommender = FactorRecommender(name, model, ExactSearch(model.embeddings.scoring_items))
    top = recommender.recommend(Queries(with_new_items.csr[known], known), 900)
    assert (with_new_items.item_degree > 0).tolist() == [True, False] * 450
    assert (np.unique(top.indices[top.filled]) % 2 == 0).all()
    np.testing.assert_array_equal(top.counts, 450 - np.diff(with_new_items.csr.indptr)[known])


def test_its_name_is_a_word_for_reports(recommender):
    assert recommender.name
