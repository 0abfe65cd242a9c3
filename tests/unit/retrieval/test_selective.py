import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import ModelError
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.flat_index import build_index
from recsys.retrieval.selective import OverFetching, SubsetSearch, selective


class Asked:
    """Exact search that remembers how many were asked for."""

    def __init__(self, items):
        self._search = ExactSearch(items)
        self.widths = []

    @property
    def n_items(self):
        return self._search.n_items

    def search(self, vectors, k, *, exclude=None, added=None):
        self.widths.append((len(vectors), k))
        return self._search.search(vectors, k, exclude=exclude, added=added)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_over_fetching_an_exact_index_is_exact_search_with_a_mask(data, naive_top_k, answers, excluded):
    n, n_items, k = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 60)), data.draw(st.integers(1, 12))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    queries, items = (rng.integers(-2, 3, (rows, 3)).astype(np.float32) for rows in (n, n_items))
    columns = st.lists(st.integers(0, n_items - 1), unique=True)
    exclude = data.draw(
        st.none() | st.lists(columns, min_size=n, max_size=n).map(lambda rows: excluded(rows, n_items))
    )
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=n_items, max_size=n_items)))
    search = OverFetching(ExactSearch(items), items.__getitem__, allowed, rows_at_once=data.draw(st.integers(1, 9)))
    added = sp.csr_matrix(rng.integers(0, 3, (n, n_items)).astype(np.float32))
    for plus in (None, added):
        products = queries @ items.T + (0 if plus is None else plus.toarray())
        scores = np.where(allowed & items.any(axis=1), products, np.float32(-np.inf))
        assert answers(search.search(queries, k, exclude=exclude, added=plus)) == naive_top_k(scores, k, exclude)


def test_only_rows_that_came_up_short_are_made_anew(rng, answers, naive_top_k):
    """The first query's best are all allowed, the second's are not: it points away from what is allowed."""
    allowed = np.arange(1_000) < 500
    items = np.where(allowed, 1, -1)[:, None] * rng.uniform(1, 2, (1_000, 1)).astype(np.float32)
    items = np.ascontiguousarray(items, np.float32)
    queries, index = np.array([[1], [-1]], np.float32), Asked(items)
    top = OverFetching(index, items.__getitem__, allowed, rows_at_once=100).search(queries, 10)
    assert index.widths == [(2, 40)]
    assert answers(top) == naive_top_k(np.where(allowed, queries @ items.T, np.float32(-np.inf)), 10)
    assert top.counts.tolist() == [10, 10]


def test_an_index_is_not_asked_for_more_than_are_allowed(rng):
    items, allowed = rng.normal(size=(1_000, 2)).astype(np.float32), np.arange(1_000) < 50
    index = Asked(items)
    top = OverFetching(index, items.__getitem__, allowed, rows_at_once=7).search(items[:3], 10)
    assert index.widths == []
    assert (top.indices < 50).all()


def test_few_are_gathered_once_and_many_are_over_fetched(rng):
    items, allowed = rng.normal(size=(100, 4)).astype(np.float32), np.arange(100) < 40
    index, gather = ExactSearch(items), items.__getitem__
    assert isinstance(selective(index, gather, allowed, factors=4, max_gathered=160), SubsetSearch)
    assert isinstance(selective(index, gather, ~allowed, factors=1, max_gathered=160), OverFetching)
    assert isinstance(selective(index, gather, allowed, factors=4, max_gathered=159), OverFetching)


@pytest.mark.parametrize("most", [1, 2**22])
@pytest.mark.parametrize("share", [0, 0.002, 0.02, 0.5, 1])
def test_lists_fill_as_long_as_enough_are_allowed(rng, excluded, most, share):
    items, queries = (rng.normal(size=(rows, 4)).astype(np.float32) for rows in (3_000, 20))
    allowed = rng.permutation(3_000) < share * 3_000
    exclude = excluded([rng.permutation(3_000)[: 150 * query].tolist() for query in range(20)], 3_000)
    index = build_index(items)
    search = selective(index, items.__getitem__, allowed, factors=4, max_gathered=most)
    assert search.n_items == 3_000
    for rows in (slice(0, 20), slice(3, 4)):
        top = search.search(queries[rows], 25, exclude=exclude[rows])
        left = (allowed & (exclude[rows].toarray() == 0)).sum(axis=1)
        np.testing.assert_array_equal(top.counts, np.minimum(left, 25))
        assert all(allowed[indices].all() for indices, _ in top.rows())


def test_a_mask_of_another_size_is_refused(rng):
    items = rng.normal(size=(5, 2)).astype(np.float32)
    with pytest.raises(ModelError, match=r"allowed is \(4,\), expected \(5,\)"):
        selective(ExactSearch(items), items.__getitem__, np.ones(4, bool), factors=2)


# --- a subset -----------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_a_subset_is_exact_search_with_a_mask(data, naive_top_k, answers, excluded):
    n, n_items, k = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 30)), data.draw(st.integers(1, 35))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    queries, items = (rng.integers(-2, 3, (rows, 3)).astype(np.float32) for rows in (n, n_items))
    columns = st.lists(st.integers(0, n_items - 1), unique=True)
    exclude = data.draw(
        st.none() | st.lists(columns, min_size=n, max_size=n).map(lambda rows: excluded(rows, n_items))
    )
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=n_items, max_size=n_items)))
    positions = np.flatnonzero(allowed).astype(np.int32)
    added = sp.csr_matrix(rng.integers(0, 3, (n, n_items)).astype(np.float32))
    top = SubsetSearch(items[positions], positions, n_items).search(queries, k, exclude=exclude, added=added)
    scores = np.where(allowed & items.any(axis=1), queries @ items.T + added.toarray(), np.float32(-np.inf))
    assert answers(top) == naive_top_k(scores, k, exclude)
    assert top.k == k


def test_a_subset_knows_all_items_and_its_size():
    search = SubsetSearch(np.ones((2, 3), np.float32), np.array([1, 4], np.int32), 9)
    assert search.n_items == 9
    assert search.nbytes >= 2 * 3 * 4
    with pytest.raises(ModelError, match="exclude is"):
        search.search(np.ones((1, 3), np.float32), 1, exclude=sp.csr_matrix((1, 2), dtype=np.float32))
    with pytest.raises(ModelError, match="query vectors"):
        search.search(np.ones((1, 2), np.float32), 1)


@pytest.mark.parametrize("positions", [[1], [4, 1], [1, 1], [-1, 2], [1, 9]])
def test_positions_that_do_not_fit_are_refused(positions):
    with pytest.raises(ModelError, match="subset"):
        SubsetSearch(np.ones((2, 3), np.float32), np.array(positions, np.int32), 9)
