import numpy as np
import pytest

from recsys.models.neighbours.regularization import VALUES, climb, held_out_pairs, most_values, quality
from recsys.retrieval.topk import select_top_k


@pytest.mark.parametrize("peak", VALUES)
def test_the_climb_finds_the_peak_and_tries_no_value_beyond_its_fall(peak):
    at = VALUES.index(peak)
    tried = climb(lambda value: -abs(VALUES.index(value) - at), limit=len(VALUES))
    assert max(tried, key=lambda value: tried[value]) == peak
    assert len(tried) <= 5


def test_the_climb_ends_at_the_limit():
    assert list(climb(float, limit=1)) == [100]
    assert list(climb(float, limit=3)) == [100, 50, 250]


@pytest.mark.parametrize(("n_items", "values"), [(0, 6), (10_000, 6), (12_000, 3), (15_000, 1), (41_000, 0)])
def test_larger_catalogues_get_fewer_values(n_items, values):
    assert most_values(n_items) == values


def test_a_fifth_of_the_items_of_some_users_is_held_out(csr):
    dense = (np.random.default_rng(0).random((1500, 40)) < 0.3).astype(np.float32)
    dense[:10] = 0
    dense[:10, 0] = 1  # a single item: nothing is held out
    pairs = held_out_pairs(csr(dense))
    assert pairs.whole.shape == (1000, 40)
    np.testing.assert_array_equal((pairs.kept + pairs.held).toarray(), pairs.whole.toarray())
    sizes = np.diff(pairs.whole.indptr)
    np.testing.assert_array_equal(np.diff(pairs.held.indptr), np.maximum(1, sizes // 5))
    again = held_out_pairs(csr(dense))
    np.testing.assert_array_equal(again.held.indices, pairs.held.indices)
    assert held_out_pairs(csr(np.eye(5, dtype=np.float32))) is None


def test_quality_is_the_gain_over_the_largest_possible(csr):
    lists = select_top_k(np.array([[3, 2, 1], [1, -np.inf, -np.inf]], np.float32), 2)  # items 0, 1 and 0
    held = csr(np.array([[0, 1, 1], [1, 1, 0]], np.float32))
    first, second = 1 / np.log2([2, 3])
    assert quality(lists, held) == pytest.approx(((second + first) / 2) / (first + second))
