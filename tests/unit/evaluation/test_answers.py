import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.errors import ModelError
from recsys.evaluation.answers import check_answer, contains


def test_an_honest_answer_passes(answer_of, rows_of):
    check_answer("als", answer_of([[2, 0], [1], []], 2), rows_of([[1], [2], [0, 1, 2]], 3), 2)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([[2, 1], [0]], r"als: recommended an item of the user's own history to 1 of 2 users"),
        ([[0, 0], [2, 2]], r"als: recommended the same item twice to 2 of 2 users"),
        ([[3], [0]], r"als: recommended items 0 to 3, expected 0 to 2"),
    ],
)
def test_a_wrong_answer_is_refused_by_the_models_name(answer_of, rows_of, lists, message):
    with pytest.raises(ModelError, match=message):
        check_answer("als", answer_of(lists, 2), rows_of([[1], []], 3), 2)


def test_padding_counted_as_an_answer_is_refused(answer_of, rows_of):
    with pytest.raises(ModelError, match="items -1 to 0"):
        check_answer("als", answer_of([[0, -1]], 2), rows_of([[]], 3), 2)


@pytest.mark.parametrize("lists", [[[0, 2]], [[0], [0], [0]]])
def test_answers_of_another_shape_are_refused(answer_of, rows_of, lists):
    with pytest.raises(ModelError, match=r"expected \(2, 3\) places"):
        check_answer("als", answer_of(lists, 2), rows_of([[1], []], 3), 3)


def test_padding_is_not_the_last_item_of_the_row_above(answer_of, rows_of):
    held = contains(rows_of([[2], [0]], 3), answer_of([[2], []], 2))
    assert held.tolist() == [[True, False], [False, False]]


@given(
    st.lists(st.tuples(st.sets(st.integers(0, 5)), st.lists(st.integers(0, 5), max_size=4)), min_size=1, max_size=6)
)
@settings(max_examples=50, deadline=None)
def test_contains_is_membership(answer_of, rows_of, pairs):
    rows, lists = zip(*pairs, strict=True)
    expected = np.zeros((len(rows), 4), np.bool_)
    for row, (stored, ranked) in enumerate(pairs):
        expected[row, : len(ranked)] = [item in stored for item in ranked]
    assert (contains(rows_of(rows, 6), answer_of(lists, 4)) == expected).all()
