"""What holds for every ItemSearch."""

import numpy as np
import pytest

from recsys.config import IndexConfig
from recsys.errors import ModelError
from recsys.progress import silent
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.faiss_approximate import Effort
from recsys.retrieval.faiss_families import build_family
from recsys.retrieval.faiss_index import build_index
from recsys.retrieval.topk import PAD

FACTORS = 5


@pytest.fixture(scope="module")
def items(exclude):
    """Small whole numbers: products are exact whatever the order of summation, and many are equal."""
    return np.random.default_rng(6).integers(-3, 4, (exclude.shape[1], FACTORS)).astype(np.float32)


@pytest.fixture(scope="module")
def queries(exclude):
    vectors = np.random.default_rng(7).integers(-3, 4, (exclude.shape[0], FACTORS)).astype(np.float32)
    vectors[3] = 0
    return vectors


@pytest.fixture(scope="module", params=["exact", "faiss", "ivf_flat", "ivf_sq8", "ivf_pq", "hnsw"])
def search(request, items):
    """Approximations with all the effort there is: every item is a candidate, so they too must be exact."""
    if request.param == "exact":
        return ExactSearch(items)
    index = build_index(items, IndexConfig())
    if request.param == "faiss":
        return index
    built = build_family(request.param, index, seed=1, progress=silent)
    return built.with_effort(Effort(len(items), len(items)))


@pytest.mark.parametrize("k", [1, 3, 10, 500, 900, 1000])
@pytest.mark.parametrize("batch", [1, 5, 1000])
class TestItemSearch:
    def test_the_best_that_are_allowed_ties_by_lower_index(self, search, items, queries, exclude, k, batch):
        for start in range(0, len(queries), batch):
            rows = slice(start, start + batch)
            top = search.search(queries[rows], k, exclude=exclude[rows])
            for query, (indices, scores) in zip(range(*rows.indices(len(queries))), top.rows(), strict=True):
                product = items @ queries[query]
                product[exclude[query].indices] = -np.inf
                best = np.lexsort((np.arange(len(items)), -product))[:k]
                best = best[product[best] > -np.inf]
                np.testing.assert_array_equal(indices, best)
                np.testing.assert_array_equal(scores, product[best])

    def test_shape_and_padding(self, search, queries, exclude, k, batch):
        top = search.search(queries[-batch:], k, exclude=exclude[-batch:])
        assert top.k == k
        assert (top.indices[~top.filled] == PAD).all()
        assert (top.scores[~top.filled] == -np.inf).all()
        left = exclude.shape[1] - np.diff(exclude[-batch:].indptr)
        np.testing.assert_array_equal(top.counts, np.minimum(left, k))

    def test_excluding_nothing_is_not_excluding(self, search, queries, exclude, k, batch):
        nothing = exclude[np.zeros(len(queries[:batch]), int)]
        some, none = (search.search(queries[:batch], k, exclude=given) for given in (nothing, None))
        np.testing.assert_array_equal(some.indices, none.indices)
        np.testing.assert_array_equal(some.scores, none.scores)


def test_it_knows_its_size_and_refuses_other_dimensions(search, exclude):
    assert search.n_items == exclude.shape[1]
    with pytest.raises(ModelError, match="query vectors"):
        search.search(np.zeros((1, FACTORS + 1), np.float32), 3)
    with pytest.raises(ModelError, match="exclude is"):
        search.search(np.zeros((1, FACTORS), np.float32), 3, exclude=exclude)
    with pytest.raises(ModelError, match="k is 0"):
        search.search(np.zeros((1, FACTORS), np.float32), 0)


def test_no_queries_no_answers(search, exclude):
    assert len(search.search(np.zeros((0, FACTORS), np.float32), 3, exclude=exclude[:0])) == 0


def test_the_exact_search_beside_an_approximation_compares_every_item(search, items, queries):
    little = search.with_effort(Effort(1, 1)) if hasattr(search, "with_effort") else search
    found, true = little.exact.search(queries, 7), ExactSearch(items).search(queries, 7)
    np.testing.assert_array_equal(found.indices, true.indices)
    np.testing.assert_array_equal(found.scores, true.scores)
