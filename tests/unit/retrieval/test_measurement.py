import numpy as np
import pytest

from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.flat_index import build_index
from recsys.retrieval.measurement import Sample, microseconds_of, recall, surely_recalled, worst

LINE = np.arange(1, 11, dtype=np.float32)[:, None]
POOR = np.concatenate([LINE[:8], LINE[[9]], LINE[[8]] - 6])


def _answers(items, queries, **asked):
    return ExactSearch(items).search(np.ones((queries, 1), np.float32), 4, **asked)


def test_halves_are_every_other_query_with_what_it_must_not_get(excluded):
    vectors = np.arange(10, dtype=np.float32).reshape(5, 2)
    tuning, held = Sample(vectors, excluded([[0], [1], [2], [3], [4]], 9)).halves()
    np.testing.assert_array_equal(tuning.vectors, vectors[::2])
    np.testing.assert_array_equal(held.vectors, vectors[1::2])
    assert held.exclude is not None
    assert held.exclude.indices.tolist() == [1, 3]


def test_a_query_that_is_all_zero_is_not_asked():
    vectors = np.array([[0, 0], [0, 1], [0, 0]], np.float32)
    np.testing.assert_array_equal(Sample(vectors).asked().vectors, [[0, 1]])


def test_the_clock_is_looked_at_in_microseconds(rng):
    index = build_index(rng.normal(size=(50, 3)).astype(np.float32))
    assert 0 < microseconds_of(index, Sample(np.ones((3, 3), np.float32))) < 1e6
    assert microseconds_of(index, Sample(np.zeros((0, 3), np.float32))) == 0


def test_the_worst_of_long_lists_and_of_short_ones():
    recalls = {"seen left out": 0.98, "seen left out, 10 wanted": 0.97, "10% allowed": 0.99}
    assert worst(recalls) == {"recall@100": 0.98, "recall@10": 0.97}
    assert worst({}) == {"recall@100": 1.0, "recall@10": 1.0}


def test_recall_is_the_share_of_the_true_answers_that_are_found(excluded):
    assert recall(_answers(LINE, 2), _answers(LINE, 2)) == 1.0
    # True best four: 9, 8, 7, 6. The poor items have item 9 at 3.0: they give 8, 7, 6 and 5.
    assert recall(_answers(POOR, 2), _answers(LINE, 2)) == 0.75
    # One query may not get item 9, and loses nothing.
    asked = {"exclude": excluded([[9], []], 10)}
    assert recall(_answers(POOR, 2, **asked), _answers(LINE, 2, **asked)) == 7 / 8
    assert recall(_answers(POOR, 0), _answers(LINE, 0)) == 1.0


def test_what_other_queries_hardly_fall_below_is_two_standard_errors_lower(excluded):
    asked = {"exclude": excluded([[9], []], 10)}
    found, true = _answers(POOR, 2, **asked), _answers(LINE, 2, **asked)
    # Shares 1 and 0.75: mean 7/8, sample deviation 0.25 / sqrt(2), standard error 0.125.
    assert surely_recalled(found, true) == pytest.approx(7 / 8 - 0.25)
    assert surely_recalled(_answers(POOR, 1), _answers(LINE, 1)) == 0.75
