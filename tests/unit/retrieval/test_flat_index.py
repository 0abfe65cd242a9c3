import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import ModelError
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.flat_index import build_index

N_ITEMS, FACTORS = 1500, 4


@pytest.fixture(scope="module")
def tied_items():
    """Small whole numbers: products are exact, and equal for many items."""
    return np.random.default_rng(0).integers(-3, 4, (N_ITEMS, FACTORS)).astype(np.float32)


@pytest.fixture(scope="module")
def index(tied_items):
    return build_index(tied_items)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_answers_are_those_of_exact_search(data, index, tied_items, answers, excluded):
    rng = np.random.default_rng(data.draw(st.integers(0, 999)))
    n, k = data.draw(st.integers(0, 18)), data.draw(st.integers(1, 12))
    queries = rng.integers(-3, 4, (n, FACTORS)).astype(np.float32)
    n_excluded = data.draw(st.lists(st.sampled_from([0, 1, 3, 9, 300, N_ITEMS]), min_size=n, max_size=n))
    best = np.argsort(-(queries @ tied_items.T), axis=1)
    exclude = excluded([row[:size].tolist() for row, size in zip(best, n_excluded, strict=True)], N_ITEMS)
    plus = np.where(rng.random((n, N_ITEMS)) < 0.02, rng.integers(1, 9, (n, N_ITEMS)), 0)
    asked = {
        "exclude": exclude,
        "added": sp.csr_matrix(plus.astype(np.float32)) if data.draw(st.booleans()) else None,
    }
    expected = ExactSearch(tied_items).search(queries, k, **asked)
    assert answers(index.search(queries, k, **asked)) == answers(expected)


def test_without_ties_nothing_falls_back_to_the_product(rng, monkeypatch, answers):
    items = rng.normal(size=(N_ITEMS, FACTORS)).astype(np.float32)
    index, queries = build_index(items), rng.normal(size=(3, FACTORS)).astype(np.float32)
    added = sp.random(3, N_ITEMS, density=0.05, format="csr", dtype=np.float32, random_state=rng)
    expected = [ExactSearch(items).search(queries, 5, added=plus) for plus in (None, added)]
    monkeypatch.setattr(ExactSearch, "search", None)
    for plus, top in zip((None, added), expected, strict=True):
        np.testing.assert_array_equal(index.search(queries, 5, added=plus).indices, top.indices)


def test_building_copies_the_vectors(rng):
    items = rng.normal(size=(N_ITEMS, FACTORS)).astype(np.float32)
    index, queries = build_index(items), rng.normal(size=(20, FACTORS)).astype(np.float32)
    few, many = index.search(queries[:2], 3), index.search(queries, 3)
    items[:] = 0
    np.testing.assert_array_equal(index.search(queries[:2], 3).scores, few.scores)
    np.testing.assert_array_equal(index.search(queries, 3).scores, many.scores)


def test_building_tells_its_progress(tied_items):
    told = []
    build_index(tied_items, progress=lambda *step: told.append(step))
    assert told == [("index", N_ITEMS, N_ITEMS)]


@pytest.mark.parametrize("vectors", [np.zeros((0, 3), np.float32), np.full((2, 3), np.nan, np.float32)])
def test_vectors_that_cannot_be_searched_are_refused(vectors):
    with pytest.raises(ModelError, match="item vectors"):
        build_index(vectors)


def test_wrong_questions_are_refused(index):
    with pytest.raises(ModelError, match="query vectors hold NaN"):
        index.search(np.full((1, FACTORS), np.nan, np.float32), 3)
    with pytest.raises(ModelError, match="k is 0"):
        index.search(np.zeros((1, FACTORS), np.float32), 0)
