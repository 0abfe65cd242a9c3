import numpy as np
import pytest
import scipy.sparse as sp

from recsys.models.neighbours.summed_rows import summed_rows


def made(rng, shape, share):
    found = sp.random(*shape, share, format="csr", dtype=np.float32, rng=rng)
    found.sort_indices()
    return sp.csr_matrix(found)


@pytest.mark.parametrize("places_at_once", [1, 700, 2**18])
def test_sums_in_full_are_those_of_the_product_to_the_last_bit(places_at_once):
    """Weights of many orders of magnitude: another order of summation would give other bits."""
    rng = np.random.default_rng(4)
    weights, counts = made(rng, (200, 300), 0.2), made(rng, (30, 200), 0.3)
    weights.data = np.float32(10) ** rng.uniform(-6, 6, weights.nnz).astype(np.float32)
    counts.data[:] = 1
    in_full = summed_rows(counts, weights, full=4, places_at_once=places_at_once)
    product = summed_rows(counts, weights, full=0)
    assert in_full.has_canonical_format and in_full.dtype == np.float32 and in_full.indices.dtype == np.int32
    for name in ("indptr", "indices", "data"):
        np.testing.assert_array_equal(getattr(in_full, name), getattr(product, name))
    backwards = summed_rows(counts[:, ::-1].sorted_indices(), weights[::-1], full=0)
    assert (backwards != product).nnz > 0, "the order of the sums would not show"


def test_counts_are_kept():
    """Of other counts than 1 no row is written out in full."""
    counts = sp.csr_matrix(np.array([[2, 0.5], [0, 3]], np.float32))
    weights = sp.csr_matrix(np.array([[1, 2], [4, 8]], np.float32))
    np.testing.assert_array_equal(summed_rows(counts, weights).toarray(), [[4, 8], [12, 24]])
