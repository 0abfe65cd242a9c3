import numpy as np
import pytest
import scipy.sparse as sp

from recsys.content.cold_start.columns import largest_weight, with_content_columns
from recsys.models.neighbours.weights import NeighbourWeights

ONE = np.ones(1, np.float32)


def _weights() -> NeighbourWeights:
    dense = np.zeros((5, 5), np.float32)
    dense[0, 1], dense[2, 1], dense[1, 2], dense[3, 4] = 0.4, 0.2, 0.6, 9.0
    return NeighbourWeights(sp.csr_matrix(dense), 2.0)


def test_a_new_column_is_the_mean_of_those_of_its_neighbours_and_of_themselves() -> None:
    means = sp.csr_matrix(np.array([[0, 0.75, 0.25, 0, 0]], np.float32))
    unit = largest_weight(_weights().weights)
    assert unit == pytest.approx((0.4 + 0.6 + 9.0) / 3)
    new = with_content_columns(_weights(), means, np.array([4], np.int32), own_weight=0.5, local=2.0, share=ONE)
    column = new.weights[:, [4]].toarray().ravel()
    # A column has two entries at most here, the largest ones: item 1 and item 2 themselves.
    expected = [0, 2 * (0.75 * 0.5 * unit + 0.25 * 0.6), 2 * (0.75 * 0.2 + 0.25 * 0.5 * unit), 9, 0]  # 9: its own
    assert column.tolist() == pytest.approx(expected)
    assert new.strength == 2.0


def test_the_columns_of_all_other_items_stay() -> None:
    means = sp.csr_matrix(np.array([[0, 1, 0, 0, 0]], np.float32))
    new = with_content_columns(_weights(), means, np.array([4], np.int32), own_weight=0.0, local=1.0, share=ONE)
    np.testing.assert_array_equal(new.weights[:, :4].toarray(), _weights().weights[:, :4].toarray())
    assert new.weights[:, [4]].toarray().ravel().tolist() == pytest.approx([0.4, 0, 0.2, 9, 0])


def test_a_share_of_the_content_is_added_to_what_a_rare_item_has() -> None:
    means = sp.csr_matrix(np.array([[0, 1, 0, 0, 0]], np.float32))
    share = np.array([0.5], np.float32)
    new = with_content_columns(_weights(), means, np.array([2], np.int32), own_weight=0.0, local=1.0, share=share)
    assert new.weights[:, [2]].toarray().ravel().tolist() == pytest.approx([0.2, 0.6, 0, 0, 0])  # nothing on itself


def test_an_item_without_neighbours_keeps_its_column() -> None:
    means = sp.csr_matrix((1, 5), dtype=np.float32)
    new = with_content_columns(_weights(), means, np.array([4], np.int32), own_weight=1.0, local=1.0, share=ONE)
    assert new.weights[:, [4]].nnz == 1
