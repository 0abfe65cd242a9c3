import numpy as np
import pytest

from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.recall import recall, surely_recalled

LINE = np.arange(1, 11, dtype=np.float32)[:, None]
POOR = np.concatenate([LINE[:8], LINE[[9]], LINE[[8]] - 6])


def _answers(items, queries, **asked):
    return ExactSearch(items).search(np.ones((queries, 1), np.float32), 4, **asked)


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
