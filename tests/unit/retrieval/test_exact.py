import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import ModelError
from recsys.retrieval.exact import ExactSearch, normalised


@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_search_is_the_sorted_product_without_what_is_excluded(data, naive_top_k, answers, excluded):
    n, n_items, k = data.draw(st.integers(0, 4)), data.draw(st.integers(1, 30)), data.draw(st.integers(1, 35))
    rng = np.random.default_rng(data.draw(st.integers(0, 99)))
    queries, items = (rng.integers(-2, 3, (rows, 3)).astype(np.float32) for rows in (n, n_items))
    columns = st.lists(st.integers(0, n_items - 1), unique=True)
    exclude = excluded(data.draw(st.lists(columns, min_size=n, max_size=n)), n_items)
    top = ExactSearch(items).search(queries, k, exclude=exclude)
    scores = np.where(items.any(axis=1), queries @ items.T, np.float32(-np.inf))
    assert answers(top) == naive_top_k(scores, k, exclude)


def test_blocks_change_nothing(rng, answers, excluded):
    queries, items = (rng.integers(-4, 5, (rows, 6)).astype(np.float32) for rows in (17, 40))
    exclude = excluded([rng.permutation(40)[: rng.integers(0, 40)].tolist() for _ in range(17)], 40)
    asked = {"exclude": exclude, "added": sp.csr_matrix(rng.integers(0, 3, (17, 40)).astype(np.float32))}
    whole = answers(ExactSearch(items).search(queries, 8, **asked))
    for size in (100, 1):
        assert answers(ExactSearch(items, scores_per_block=size).search(queries, 8, **asked)) == whole


def test_inputs_are_left_alone(rng, excluded):
    queries, items = (rng.normal(size=(rows, 3)).astype(np.float32) for rows in (2, 5))
    exclude = excluded([[1, 2], []], 5)
    copies = [array.copy() for array in (queries, items, exclude.indptr, exclude.indices, exclude.data)]
    ExactSearch(items).search(queries, 3, exclude=exclude)
    for array, copy in zip((queries, items, exclude.indptr, exclude.indices, exclude.data), copies, strict=True):
        np.testing.assert_array_equal(array, copy)
    assert items.flags.writeable


@pytest.mark.parametrize(
    ("queries", "k", "exclude_rows", "message"),
    [
        (np.zeros((1, 4), np.float32), 1, None, r"query vectors are float32 \(1, 4\), expected float32 \(n, 3\)"),
        (np.zeros(3, np.float32), 1, None, r"expected float32 \(n, 3\)"),
        (np.zeros((1, 3)), 1, None, "query vectors are float64"),
        (np.full((1, 3), np.nan, np.float32), 1, None, "query vectors hold NaN or infinity"),
        (np.zeros((1, 3), np.float32), 0, None, "k is 0, expected at least 1"),
        (np.zeros((1, 3), np.float32), 1, 2, r"exclude is \(2, 5\), expected \(1, 5\)"),
    ],
)
def test_wrong_questions_are_refused(queries, k, exclude_rows, message, excluded):
    exclude = None if exclude_rows is None else excluded([[]] * exclude_rows, 5)
    with pytest.raises(ModelError, match=message):
        ExactSearch(np.zeros((5, 3), np.float32)).search(queries, k, exclude=exclude)


def test_normalised_vectors_have_length_one_and_zeros_stay():
    vectors = np.array([[3.0, 4.0], [0.0, 0.0], [0.0, -2.0], [1e-30, 0.0], [1e30, 0.0]], np.float32)
    scaled = normalised(vectors)
    np.testing.assert_allclose(scaled, [[0.6, 0.8], [0, 0], [0, -1], [1, 0], [1, 0]], rtol=1e-6)
    assert scaled.dtype == np.float32
    assert scaled.flags.c_contiguous
    assert vectors[0, 0] == 3.0


def test_a_normalised_vector_does_not_depend_on_the_vectors_beside(rng):
    """Filters gather the vectors that pass and normalise these alone."""
    vectors = rng.normal(size=(5_000, 37)).astype(np.float32)
    some = np.sort(rng.choice(5_000, 400, replace=False))
    np.testing.assert_array_equal(normalised(vectors[some]), normalised(vectors)[some])
