import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import ModelError
from recsys.retrieval.subset import SubsetSearch


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_it_is_exact_search_with_a_mask(data, naive_top_k, answers, excluded):
    n, n_items, k = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 30)), data.draw(st.integers(1, 35))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    queries, items = (rng.integers(-2, 3, (rows, 3)).astype(np.float32) for rows in (n, n_items))
    columns = st.lists(st.integers(0, n_items - 1), unique=True)
    exclude = data.draw(
        st.none() | st.lists(columns, min_size=n, max_size=n).map(lambda rows: excluded(rows, n_items))
    )
    allowed = np.array(data.draw(st.lists(st.booleans(), min_size=n_items, max_size=n_items)))
    positions = np.flatnonzero(allowed).astype(np.int32)
    top = SubsetSearch(items[positions], positions, n_items).search(queries, k, exclude=exclude)
    scores = np.where(allowed & items.any(axis=1), queries @ items.T, np.float32(-np.inf))
    assert answers(top) == naive_top_k(scores, k, exclude)
    assert top.k == k


def test_it_knows_all_items_and_its_size():
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
