"""Emphasis: the items of a session count more, and the mean stays 1."""

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.data.emphasis import emphasised, session_emphasis
from recsys.errors import DataError


def positions(*at: int) -> np.ndarray:
    return np.array(at, np.int32)


def test_a_session_counts_so_many_times_and_the_mean_is_one() -> None:
    emphasis = session_emphasis(positions(2, 3, 5, 9), positions(9), 5)
    np.testing.assert_allclose(emphasis, [0.5, 0.5, 0.5, 2.5])
    assert emphasis is not None and emphasis.dtype == np.float32


def test_items_that_the_history_does_not_hold_change_nothing() -> None:
    with_others = session_emphasis(positions(2, 3), positions(3, 7), 4)
    np.testing.assert_allclose(with_others, session_emphasis(positions(2, 3), positions(3), 4))


@pytest.mark.parametrize(("session", "weight"), [((3,), 1.0), ((), 9.0), ((7,), 9.0), ((2, 3), 9.0)])
def test_none_if_all_count_the_same(session: tuple[int, ...], weight: float) -> None:
    assert session_emphasis(positions(2, 3), positions(*session), weight) is None


def test_entries_are_multiplied_in_their_order() -> None:
    entries = sp.csr_matrix(np.array([[0, 2, 0], [3, 0, 4]], np.float32))
    times = np.array([1, 10, 0.5], np.float32)
    assert emphasised(entries, times).toarray().tolist() == [[0, 2, 0], [30, 0, 2]]
    assert emphasised(entries, None) is entries
    for wrong in (times[:2], np.array([1, 0, 1], np.float32), np.array([1, np.nan, 1], np.float32)):
        with pytest.raises(DataError, match="expected 3 finite values above zero"):
            emphasised(entries, wrong)
