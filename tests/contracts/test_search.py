"""What holds for every ItemSearch."""

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.errors import ModelError
from recsys.progress import silent
from recsys.retrieval.approximate_index import SearchParameters, build_approximate
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import build_index
from recsys.retrieval.joined import JoinedSearch, Part
from recsys.retrieval.selective import OverFetching, SubsetSearch
from recsys.retrieval.topk import PAD

FACTORS = 5


ZEROS = [0, 1, 450, 899]
"""Items without a learned vector."""

SEARCHES = [
    "exact",
    "compiled",
    "faiss",
    "ivf_flat",
    "ivf_sq8",
    "ivf_pq",
    "hnsw",
    "subset",
    "over-fetching",
    "joined",
]


@pytest.fixture(scope="module")
def items(exclude):
    """Small whole numbers: products are exact whatever the order of summation, and many are equal."""
    vectors = np.random.default_rng(6).integers(-3, 4, (exclude.shape[1], FACTORS)).astype(np.float32)
    vectors[ZEROS] = 0
    return vectors


@pytest.fixture(scope="module")
def queries(exclude):
    vectors = np.random.default_rng(7).integers(-3, 4, (exclude.shape[0], FACTORS)).astype(np.float32)
    vectors[3] = 0
    return vectors


@pytest.fixture(scope="module")
def added(exclude):
    """Whole numbers for 120 items per query, some of them 0, seen or without a vector; none for two queries."""
    rng = np.random.default_rng(10)
    rows = []
    for query in range(exclude.shape[0]):
        row = np.zeros(exclude.shape[1], np.float32)
        row[rng.choice(exclude.shape[1], 120, replace=False)] = rng.integers(1, 9, 120)
        row[ZEROS] = 50
        rows.append(row if query not in (4, 9) else 0 * row)
    stored = sp.csr_matrix(np.array(rows))
    stored.data[::11] = 0
    return stored


def search_of(name, items):
    """Approximations with all the effort there is: every item is a candidate, so they too must be exact."""
    everything = np.ones(len(items), np.bool_)
    if name == "exact":
        return ExactSearch(items)
    if name == "compiled":
        return ExactSearch(items, compiled_from=0)
    if name == "subset":
        return SubsetSearch(items, np.arange(len(items), dtype=np.int32), len(items))
    if name == "joined":
        left, right = np.ascontiguousarray(items[:, :2]), np.ascontiguousarray(items[:, 2:] / 2)
        return JoinedSearch(
            tuple(Part(each, np.full(len(items), n, np.float32)) for each, n in ((left, 1), (right, 2)))
        )
    if name == "over-fetching":
        return OverFetching(build_index(items), items.__getitem__, everything, rows_at_once=100)
    index = build_index(items)
    if name == "faiss":
        return index
    built = build_approximate(FAMILIES[name], index, seed=1, progress=silent)
    return built.with_parameters(SearchParameters(len(items), len(items)))


@pytest.fixture(scope="module", params=SEARCHES)
def search(request, items):
    return search_of(request.param, items)


@pytest.fixture(scope="module")
def answers(items, queries, exclude):
    """Per query all items that may be listed, best first and ties by lower index, with their products."""
    answers = []
    for query in range(len(queries)):
        product = items @ queries[query]
        product[exclude[query].indices] = -np.inf
        product[ZEROS] = -np.inf
        best = best_totals(product, len(items))
        answers.append((best, product[best]))
    return answers


@pytest.mark.parametrize(
    ("k", "batch"),
    [(1, 1), (10, 1), (1000, 1), (3, 5), (500, 5), (3, 1000), (10, 1000), (900, 1000), (1000, 1000)],
)
class TestItemSearch:
    def test_the_best_that_are_allowed_ties_by_lower_index(self, search, queries, exclude, answers, k, batch):
        found = [
            row
            for start in range(0, len(queries), batch)
            for row in search.search(queries[start : start + batch], k, exclude=exclude[start : start + batch]).rows()
        ]
        for (indices, scores), (best, products) in zip(found, answers, strict=True):
            np.testing.assert_array_equal(indices, best[:k])
            np.testing.assert_array_equal(scores, products[:k])

    def test_shape_and_padding(self, search, queries, exclude, k, batch):
        top = search.search(queries[-batch:], k, exclude=exclude[-batch:])
        assert top.k == k
        assert (top.indices[~top.filled] == PAD).all()
        assert (top.scores[~top.filled] == -np.inf).all()
        allowed = exclude[-batch:].toarray() == 0
        allowed[:, ZEROS] = False
        left = allowed.sum(axis=1)
        np.testing.assert_array_equal(top.counts, np.minimum(left, k))

    def test_excluding_nothing_is_not_excluding(self, search, queries, exclude, k, batch):
        nothing = exclude[np.zeros(len(queries[:batch]), int)]
        some, none = (search.search(queries[:batch], k, exclude=given) for given in (nothing, None))
        np.testing.assert_array_equal(some.indices, none.indices)
        np.testing.assert_array_equal(some.scores, none.scores)


def best_totals(totals, k):
    best = np.lexsort((np.arange(len(totals)), -totals))[:k]
    return best[totals[best] > -np.inf]


@pytest.mark.parametrize("leaves_out", [True, False])
@pytest.mark.parametrize(("k", "batch"), [(1, 1), (3, 2), (10, 1), (10, 1000), (500, 5), (1000, 1000)])
def test_what_is_added_counts_as_the_product_does(search, items, queries, exclude, added, k, batch, leaves_out):
    for start in range(0, len(queries), batch):
        rows = slice(start, start + batch)
        top = search.search(queries[rows], k, exclude=exclude[rows] if leaves_out else None, added=added[rows])
        for query, (indices, scores) in zip(range(*rows.indices(len(queries))), top.rows(), strict=True):
            totals = (items.astype(np.float64) @ queries[query] + added[query].toarray()[0]).astype(np.float32)
            totals[ZEROS] = -np.inf
            if leaves_out:
                totals[exclude[query].indices] = -np.inf
            np.testing.assert_array_equal(indices, best_totals(totals, k))
            np.testing.assert_array_equal(scores, totals[indices])


@pytest.mark.parametrize("name", FAMILIES)
def test_what_something_is_added_to_is_found_however_little_an_index_looks(name, items, queries, exclude, added):
    index = build_approximate(FAMILIES[name], build_index(items), seed=1, progress=silent)
    proposed = index.search(queries, 10, exclude=exclude)
    found = index.search(queries, 10, exclude=exclude, added=added)
    for query, (indices, scores) in enumerate(found.rows()):
        plus = added[query].toarray()[0]
        totals = np.full(len(items), -np.inf, np.float32)
        both = np.union1d(proposed.row(query)[0], added[query].indices)
        totals[both] = items[both] @ queries[query] + plus[both]
        totals[[*ZEROS, *exclude[query].indices]] = -np.inf
        np.testing.assert_array_equal(indices, best_totals(totals, 10))
        np.testing.assert_array_equal(scores, totals[indices])


def test_adding_nothing_is_not_adding(search, queries, exclude, added):
    nothing = added[np.full(len(queries), 4)]
    some, none = (search.search(queries, 9, exclude=exclude, added=given) for given in (nothing, None))
    np.testing.assert_array_equal(some.indices, none.indices)
    np.testing.assert_array_equal(some.scores, none.scores)


@pytest.mark.parametrize("wrong", [-1, np.nan, np.inf])
def test_what_cannot_be_added_is_refused(search, queries, added, wrong):
    with pytest.raises(ModelError, match="added is float32"):
        search.search(queries[:1], 3, added=added[:2])
    with pytest.raises(ModelError, match="added is float64"):
        search.search(queries[:1], 3, added=added[:1].astype(np.float64))
    one = added[:1].copy()
    one.data[7] = wrong
    with pytest.raises(ModelError, match="added holds"):
        search.search(queries[:1], 3, added=one)


def test_it_knows_its_size_and_refuses_other_dimensions(search, exclude):
    assert search.n_items == exclude.shape[1]
    with pytest.raises(ModelError, match="query vectors"):
        search.search(np.zeros((1, FACTORS + 1), np.float32), 3)
    with pytest.raises(ModelError, match="exclude is"):
        search.search(np.zeros((1, FACTORS), np.float32), 3, exclude=exclude)
    with pytest.raises(ModelError, match="k is 0"):
        search.search(np.zeros((1, FACTORS), np.float32), 0)


def test_no_queries_no_answers(search, exclude):
    assert len(search.search(np.zeros((0, FACTORS), np.float32), 3, exclude=exclude[:0])) == 0


def test_the_exact_search_beside_an_approximation_compares_every_item(search, items, queries):
    little = search.with_parameters(SearchParameters(1, 1)) if hasattr(search, "with_parameters") else search
    found, true = little.exact.search(queries, 7), ExactSearch(items).search(queries, 7)
    np.testing.assert_array_equal(found.indices, true.indices)
    np.testing.assert_array_equal(found.scores, true.scores)


@pytest.fixture(scope="module")
def near_ties():
    """1,500 items around 25 centres, most of them a rounding error apart, some the very same; 40 queries."""
    rng = np.random.default_rng(8)
    centres = rng.normal(size=(25, 48)).astype(np.float32)
    items = centres[rng.integers(0, 25, 1500)]
    nudged = rng.integers(0, 48, (1500, 2))
    for column in nudged.T:
        items[np.arange(1500), column] = np.nextafter(items[np.arange(1500), column], np.float32(0))
    items[::7] = items[0]
    added = sp.random(40, 1500, density=0.1, format="csr", dtype=np.float32, random_state=rng)
    added.data = rng.choice(np.array([1e-7, 0.1, 0.3], np.float32), added.nnz)
    return items, rng.normal(size=(40, 48)).astype(np.float32), added


@pytest.fixture(scope="module", params=SEARCHES)
def nearly_tied(request, near_ties):
    return search_of(request.param, near_ties[0])


@pytest.mark.parametrize("adds", [False, True])
@pytest.mark.parametrize("k", [10, 100])
def test_an_answer_does_not_depend_on_the_queries_beside(nearly_tied, near_ties, k, adds):
    _, queries, added = near_ties
    together = nearly_tied.search(queries, k, added=added if adds else None)
    for batch in (1, 3, 7):
        for start in range(0, len(queries), batch):
            rows = slice(start, start + batch)
            some = nearly_tied.search(queries[rows], k, added=added[rows] if adds else None)
            np.testing.assert_array_equal(some.indices, together.indices[rows])
            np.testing.assert_array_equal(some.scores, together.scores[rows])


@pytest.mark.parametrize("name", SEARCHES)
def test_an_answer_does_not_depend_on_the_order_of_summation(name, near_ties):
    """Dimensions in another order stand in for another kernel: the same products, added up in another order."""
    items, queries, added = near_ties
    order = np.random.default_rng(9).permutation(items.shape[1])
    found = search_of(name, items).search(queries, 50, added=added)
    turned = search_of(name, np.ascontiguousarray(items[:, order])).search(
        np.ascontiguousarray(queries[:, order]), 50, added=added
    )
    np.testing.assert_array_equal(turned.indices, found.indices)
    np.testing.assert_array_equal(turned.scores, found.scores)
