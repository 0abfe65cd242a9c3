import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from recsys.errors import ModelError
from recsys.retrieval.topk import (
    PAD,
    TopK,
    empty_top_k,
    near_top_k,
    place,
    select_top_k,
    stack,
    top_k_from_sorted,
    top_k_of_candidates,
)

FEW_VALUES = st.sampled_from([-np.inf, -2.0, -0.0, 0.0, 0.5, 1.0, 3.4e38, np.inf])


@settings(max_examples=120, deadline=None)
@given(
    scores=arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=90), elements=FEW_VALUES),
    k=st.integers(1, 100),
)
def test_selection_is_the_sorted_row_with_ties_by_lower_index(scores, k, naive_top_k, answers):
    before = scores.copy()
    top = select_top_k(scores, k)
    assert answers(top) == naive_top_k(scores, k)
    assert top.indices.shape == top.scores.shape == (len(scores), k)
    np.testing.assert_array_equal(scores, before)


@pytest.mark.parametrize("k", [1, 7, 100, 1999, 2000, 2001])
def test_selection_from_many_columns(k, rng, naive_top_k, answers):
    scores = rng.normal(size=(5, 2000)).astype(np.float32)
    scores[1] = np.round(scores[1])
    scores[2] = 4.0
    scores[3, rng.random(2000) < 0.999] = -np.inf
    scores[4] = -np.inf
    assert answers(select_top_k(scores, k)) == naive_top_k(scores, k)


def test_selection_does_not_depend_on_the_rows_beside(rng, answers):
    scores = np.round(rng.normal(size=(23, 150)), 1).astype(np.float32)
    whole = answers(select_top_k(scores, 9))
    assert answers(select_top_k(scores, 9, scores_at_once=450)) == whole
    assert [answers(select_top_k(row[None], 9))[0] for row in scores] == whole


@settings(max_examples=60, deadline=None)
@given(
    scores=arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=30), elements=FEW_VALUES),
    k=st.integers(1, 40),
    seed=st.integers(0, 9),
)
def test_candidates_in_any_order_are_ranked_as_columns_are(scores, k, seed, naive_top_k, answers):
    indices = np.random.default_rng(seed).permuted(
        np.tile(np.arange(scores.shape[1], dtype=np.int32), (len(scores), 1)), axis=1
    )
    shuffled = np.take_along_axis(scores, indices, axis=1)
    indices[shuffled == -np.inf] = PAD
    top = top_k_of_candidates(indices, shuffled, k)
    assert answers(top) == naive_top_k(scores, k)
    assert top.indices.shape == top.scores.shape == (len(scores), k)


@settings(max_examples=60, deadline=None)
@given(
    scores=arrays(np.float32, array_shapes(min_dims=2, max_dims=2, max_side=30), elements=FEW_VALUES),
    k=st.integers(1, 40),
    slack=st.sampled_from([0.0, 0.5, 3.0, 1e30]),
)
def test_near_the_best_is_all_that_is_within_the_slack_in_order(scores, k, slack, naive_top_k, answers):
    near = answers(near_top_k(scores, k, np.full(len(scores), slack)))
    for row, found, best in zip(scores, near, naive_top_k(scores, k), strict=True):
        assert found == naive_top_k(row[None], len(found))[0]
        reach = best[-1][1] - slack if len(best) == k else -np.inf
        assert len(found) >= int(((row >= reach) & (row > -np.inf)).sum())


@pytest.mark.parametrize("shape", [(0, 4), (3, 0), (0, 0)])
def test_selection_from_nothing_has_no_answers(shape, answers):
    top = select_top_k(np.zeros(shape, np.float32), 2)
    assert answers(top) == [[]] * shape[0]
    assert top.indices.shape == (shape[0], 2)


def test_padding_is_marked_and_never_leaves_through_a_row():
    top = select_top_k(np.array([[1.0, -np.inf, 2.0]], np.float32), 5)
    np.testing.assert_array_equal(top.indices, [[2, 0, PAD, PAD, PAD]])
    np.testing.assert_array_equal(top.scores, [[2.0, 1.0, -np.inf, -np.inf, -np.inf]])
    np.testing.assert_array_equal(top.filled, [[True, True, False, False, False]])
    assert top.counts.tolist() == [2]
    assert top.row(0)[0].tolist() == [2, 0]


def test_sorted_rows_are_cut_or_padded():
    indices = np.array([[4, 1, 9], [5, 0, 9]], np.int32)
    scores = np.array([[3.0, 2.0, 1.0], [3.0, -np.inf, -np.inf]], np.float32)
    cut, padded = top_k_from_sorted(indices, scores, 2), top_k_from_sorted(indices, scores, 4)
    np.testing.assert_array_equal(cut.indices, [[4, 1], [5, PAD]])
    np.testing.assert_array_equal(padded.indices, [[4, 1, 9, PAD], [5, PAD, PAD, PAD]])
    assert padded.counts.tolist() == [3, 1]
    assert padded.indices.dtype == np.int32
    assert padded.scores.dtype == np.float32


def test_arrays_are_read_only():
    top = select_top_k(np.ones((1, 3), np.float32), 2)
    for array in (top.indices, top.scores, top.counts):
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0


def test_disagreeing_shapes_are_refused():
    with pytest.raises(ModelError, match=r"indices \(1, 2\), scores \(1, 3\)"):
        TopK(np.zeros((1, 2), np.int32), np.zeros((1, 3), np.float32), np.zeros(1, np.int32))


def test_stacking_keeps_the_order_of_the_parts(answers):
    scores = np.array([[1.0, 2.0], [4.0, 3.0], [5.0, -np.inf]], np.float32)
    parts = [select_top_k(scores[:1], 2), select_top_k(scores[1:], 2)]
    assert answers(stack(parts)) == answers(select_top_k(scores, 2))


def test_placing_leaves_unanswered_queries_empty(answers):
    part = select_top_k(np.array([[1.0, 2.0], [4.0, 3.0]], np.float32), 1)
    assert answers(place([(np.array([3, 0]), part)], 4, 1)) == [[(0, 4.0)], [], [], [(1, 2.0)]]
    assert answers(place([], 2, 3)) == answers(empty_top_k(2, 3)) == [[], []]
