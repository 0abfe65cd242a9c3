import numpy as np
import pytest

from recsys.engine.post_processing import boosted


def test_up_is_up_and_down_is_down_on_either_side_of_zero() -> None:
    """8 lifts -4 to -0.5, 0.5 lowers -1 to -2, 0.25 lowers 2 to 0.5."""
    indices, scores = np.array([5, 2, 9], np.int32), np.array([2, -1, -4], np.float32)
    order, lifted, multiplier = boosted(indices, scores, {5: 0.25, 9: 8.0, 2: 0.5})
    assert order.tolist() == [5, 9, 2]
    assert lifted.tolist() == pytest.approx([0.5, -0.5, -2.0])
    assert multiplier.tolist() == pytest.approx([0.25, 0.125, 2.0])
    assert scores.tolist() == [2, -1, -4]


def test_equal_scores_stand_by_position() -> None:
    order, lifted, _ = boosted(np.array([7, 3], np.int32), np.array([2, 1], np.float32), {3: 2.0})
    assert (order.tolist(), lifted.tolist()) == ([3, 7], [2.0, 2.0])
