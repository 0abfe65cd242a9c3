import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from recsys.evaluation.measures import BANDS, BY_USERS, contains, popularity_bands, recall_of_band, users_slices


def test_bands_by_hand():
    # 18 pairs: the item with 5 users starts at pair 0, those with 4 at 5 and 9, those with 2 and 1 at 13 and later.
    n_users = np.array([1, 4, 5, 2, 4, 2], np.int32)
    assert [BANDS[band] for band in popularity_bands(n_users)] == ["tail", "head", "head", "tail", "mid", "tail"]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40))
@settings(max_examples=60, deadline=None)
def test_more_popular_items_are_never_in_a_lower_band_and_the_head_is_never_empty(counts):
    bands = popularity_bands(np.array(counts, np.int32))
    assert bands[int(np.argmax(counts))] == 0
    assert set(bands) <= {0, 1, 2}
    ranked = bands[np.argsort(-np.array(counts), kind="stable")]
    assert (np.diff(ranked) >= 0).all()


def test_each_band_begins_where_a_third_of_the_pairs_ends():
    bands = popularity_bands(np.ones(30, np.int32))
    assert_array_equal(bands, np.repeat([0, 1, 2], 10))


def test_counts_of_a_small_type_do_not_overflow():
    assert_array_equal(popularity_bands(np.full(3, 120, np.int8)), [0, 1, 2])


def test_recall_of_a_band_divides_by_what_of_the_band_is_within_reach():
    hits = np.array([[True, False, True], [False, False, True], [False, False, False]])
    recall = recall_of_band(hits, np.array([2, 1, 0]), (1, 3))
    assert_array_equal(recall, [[1, 1], [0, 1], [np.nan, np.nan]])


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


def test_items_are_sliced_by_users_and_those_without_any_are_in_no_slice():
    places = users_slices(np.array([0, 1, 5, 6, 10, 11, 50, 51, 1000]))
    assert [BY_USERS[at] for at in places[1:]] == [
        "1 to 5",
        "1 to 5",
        "6 to 10",
        "6 to 10",
        "11 to 20",
        "21 to 50",
        "51 or more",
        "51 or more",
    ]
    assert places[0] == -1
