"""The compiled search against the numpy one, which compares every item."""

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.data.arrays import read_only
from recsys.retrieval.by_length_kernels import Candidates, Stored, settle
from recsys.retrieval.exact import ExactSearch, matrix_product

N, N_ITEMS, FACTORS = 60, 5_000, 16


class Multiplied:
    """A product that counts the pairs it is asked for."""

    def __init__(self):
        self.pairs = 0

    def __call__(self, queries, vectors):
        self.pairs += len(queries) * len(vectors)
        return matrix_product(queries, vectors)


@pytest.fixture(scope="module")
def vectors():
    """Queries, and items of which few are long."""
    rng = np.random.default_rng(1)
    items = rng.normal(size=(N_ITEMS, FACTORS)) * rng.pareto(0.8, N_ITEMS)[:, None]
    items[rng.integers(0, N_ITEMS, 20)] = 0
    return rng.normal(size=(N, FACTORS)).astype(np.float32), items.astype(np.float32)


def stored(seed, density):
    rng = np.random.default_rng(seed)
    rows = sp.random(N, N_ITEMS, density=density, format="csr", dtype=np.float32, random_state=rng)
    rows.data = rng.choice(np.array([1e-6, 0.5, 20], np.float32), rows.nnz)
    rows.sort_indices()
    return rows


def assert_same(one, other):
    for name in ("indices", "scores", "counts"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("k", [1, 10, 100])
def test_lists_are_the_same_to_the_last_bit_though_most_items_are_not_multiplied(vectors, k, adds):
    queries, items = vectors
    multiplied, asked = Multiplied(), {"exclude": stored(2, 0.02), "added": stored(3, 0.02) if adds else None}
    found = ExactSearch(items, product=multiplied, compiled_from=0).search(queries, k, **asked)
    assert_same(found, ExactSearch(items).search(queries, k, **asked))
    assert multiplied.pairs < N * N_ITEMS / 2


def test_what_is_added_to_a_short_item_brings_it_in_without_a_product(vectors):
    """Items behind those that are multiplied count by what is added to them, unless they are excluded."""
    queries, items = vectors
    short = np.argsort(np.linalg.norm(items, axis=1))[40:46]
    added, exclude = (sp.lil_matrix((N, N_ITEMS), dtype=np.float32) for _ in range(2))
    added[:, short] = 1e6
    exclude[0, short[:2]] = 1
    asked = {"exclude": exclude.tocsr(), "added": added.tocsr()}
    found = ExactSearch(items, compiled_from=0).search(queries, 6, **asked)
    assert set(found.indices[1].tolist()) == set(short.tolist())
    assert set(short[:2]).isdisjoint(found.indices[0].tolist())
    assert_same(found, ExactSearch(items).search(queries, 6, **asked))


def test_more_equal_items_than_there_is_room_for(vectors):
    queries, items = vectors
    same = np.repeat(items[:1], 3_000, axis=0)
    assert_same(*(ExactSearch(same, compiled_from=at).search(queries, 5) for at in (0, np.inf)))


def test_a_catalogue_smaller_than_the_list(vectors):
    queries, items = vectors
    few = np.ascontiguousarray(items[:7])
    assert_same(*(ExactSearch(few, compiled_from=at).search(queries, 9) for at in (0, np.inf)))


def test_a_score_is_unsure_if_another_order_of_summation_could_round_to_another():
    """1 + 2^-24 lies between two float32 numbers, 1 + 2^-30 does not. Read-only arrays, as the search passes them."""
    items = np.array([[1, 2.0**-24], [1, 2.0**-30]], np.float32)
    found = Candidates(
        item=np.array([[0, 1]], np.int32),
        score=np.ones((1, 2), np.float32),
        held=np.array([2], np.int32),
        bound=np.zeros(1, np.float32),
        slack=read_only(np.zeros(1)),
        crowded=np.zeros(1, np.bool_),
    )
    queries, lengths, none = (read_only(np.ones(shape, np.float32)) for shape in ((1, 2), 2, 0))
    nothing = Stored(read_only(np.zeros(2, np.int32)), read_only(np.zeros(0, np.int32)), none)
    totals, unsure = np.zeros((1, 2), np.float32), np.zeros((1, 2), np.bool_)
    settle(queries, read_only(items), lengths, nothing, found, totals, unsure)
    assert unsure.tolist() == [[True, False]]
    assert totals.tolist() == [[1, 1]]


@pytest.mark.parametrize(("n", "compiled"), [(255, False), (256, True)])
def test_few_queries_are_left_to_numpy_so_that_a_service_loads_no_compiler(vectors, n, compiled):
    queries, items = vectors
    widths = []

    def product(some, of_items):
        widths.append(len(of_items))
        return matrix_product(some, of_items)

    ExactSearch(items, product=product, compiled_from=1).search(np.resize(queries, (n, FACTORS)), 3)
    assert (max(widths) < N_ITEMS) is compiled
