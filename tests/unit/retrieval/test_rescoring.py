"""What decides a list does not depend on the order in which a product was added up."""

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.errors import ModelError
from recsys.retrieval.exact import ExactSearch, matrix_product
from recsys.retrieval.rescoring import ItemVectors, inner_products, rescored
from recsys.retrieval.topk import select_top_k

FACTORS = 64


@pytest.fixture(scope="module")
def near_ties():
    """1,000 items in 20 groups, those of a group a rounding error apart, and 30 queries."""
    rng = np.random.default_rng(2)
    items = np.repeat(rng.normal(size=(20, FACTORS)).astype(np.float32), 50, axis=0)
    at = np.arange(1000), rng.integers(0, FACTORS, 1000)
    items[at] = np.nextafter(items[at], np.float32(9))
    return rng.permutation(items), rng.normal(size=(30, FACTORS)).astype(np.float32)


def other_kernel(queries, vectors):
    """A product whose order of summation depends on the number of queries."""
    order = np.random.default_rng(len(queries)).permutation(FACTORS)
    total = np.zeros((len(queries), len(vectors)), np.float32)
    for factor in order:
        total += queries[:, factor, None] * vectors[:, factor]
    return total


def test_another_kernel_gives_the_same_answers(near_ties, answers):
    items, queries = near_ties
    found = ExactSearch(items).search(queries, 30)
    assert answers(ExactSearch(items, product=other_kernel).search(queries, 30)) == answers(found)
    alone = [ExactSearch(items, product=other_kernel).search(query[None], 30) for query in queries]
    assert [answers(top)[0] for top in alone] == answers(found)
    # The float32 products themselves do disagree, or this would show nothing.
    plain = [select_top_k(product(queries, items), 30).indices for product in (matrix_product, other_kernel)]
    assert (plain[0] != plain[1]).any()


def test_answers_are_those_of_products_in_double_precision(near_ties):
    items, queries = near_ties
    products = (queries.astype(np.float64) @ items.astype(np.float64).T).astype(np.float32)
    expected = select_top_k(products, 30)
    found = ExactSearch(items).search(queries, 30)
    np.testing.assert_array_equal(found.indices, expected.indices)
    np.testing.assert_array_equal(found.scores, expected.scores)


def test_a_large_addition_widens_what_is_settled():
    """A product that errs by 2 ** -18 falls below half a step of the sum in float32, which is 2 ** -7 wide there."""
    items = np.array([[2**-8 + 2**-20], [2**-7], [-100]], np.float32)
    added = sp.csr_matrix(np.array([[2**16, 2**16, 0]], np.float32))

    def errs(queries, vectors):
        return queries @ vectors.T - np.float32(2**-18)

    found = ExactSearch(items, product=errs).search(np.ones((1, 1), np.float32), 1, added=added)
    assert found.indices.tolist() == [[0]]
    assert found.scores.tolist() == [[2**16 + 2**-7]]


def test_no_order_of_summation_errs_by_more_than_the_slack(near_ties):
    items, queries = near_ties
    exact = queries.astype(np.float64) @ items.astype(np.float64).T
    slack = ItemVectors.of(items).slack(queries)
    error = np.abs(other_kernel(queries, items) - exact).max(axis=1)
    assert (error > 0).all()
    assert (2 * error < slack).all()
    assert ItemVectors.of(items).slack(np.zeros((1, FACTORS), np.float32)) == 0


def test_candidates_are_put_in_the_order_of_exact_products():
    """Products with (1, 2): item 0 gives 5, items 1 and 3 give 4, item 2 gives 6."""
    items = ItemVectors.of(np.array([[1, 2], [2, 1], [0, 3], [4, 0]], np.float32))
    near = select_top_k(np.array([[6, 7, -np.inf, 8]], np.float32), 4)
    query = np.array([[1, 2]], np.float32)
    top = rescored(near, query, items, k=3, slack=np.full(1, 9.0))
    assert top.row(0)[0].tolist() == [0, 1, 3]
    assert top.row(0)[1].tolist() == [5, 4, 4]
    assert rescored(near, query, items, k=1, slack=np.full(1, 1.0)).row(0)[0].tolist() == [1]  # 5 is out of reach


@pytest.mark.parametrize("gathered", [1, 64, 640, 2**18])
def test_blocks_change_nothing(near_ties, rng, gathered):
    items, queries = near_ties
    indices = rng.integers(-1, 1000, (30, 13)).astype(np.int32)
    found = inner_products(queries, items, indices, gathered_per_block=gathered)
    np.testing.assert_array_equal(found, inner_products(queries, items, indices))
    expected = np.vecdot(items[indices].astype(np.float64), queries[:, None].astype(np.float64))
    np.testing.assert_allclose(found, expected, rtol=1e-6)


def test_vectors_that_are_all_zero_are_found_and_tiny_ones_are_not():
    vectors = np.array([[0, 0], [1e-30, 0], [0, -0.0], [1e-42, 0], [1e30, 1e30]], np.float32)
    items = ItemVectors.of(vectors)
    assert items.zeros.tolist() == [0, 2]
    assert items.n_listable == 3
    assert items.longest == pytest.approx(2**0.5 * 1e30, rel=1e-6)
    assert ItemVectors.of(np.zeros((0, 2), np.float32)).zeros.tolist() == []


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (np.zeros((2, 2)), r"float64 \(2, 2\)"),
        (np.zeros(2, np.float32), r"float32 \(2,\)"),
        (np.asfortranarray(np.ones((3, 2), np.float32)), "C-contiguous"),
        (np.array([[np.inf]], np.float32), "NaN or infinity"),
    ],
)
def test_wrong_item_vectors_are_refused(vectors, message):
    with pytest.raises(ModelError, match=message):
        ExactSearch(vectors)
