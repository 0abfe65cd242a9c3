import numpy as np
import pytest

from recsys.errors import ModelError
from recsys.progress import silent
from recsys.retrieval.approximate_index import (
    SearchParameters,
    build_approximate,
    steps_to,
)
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex

N_ITEMS, FACTORS = 4000, 6


@pytest.fixture(scope="module")
def exact():
    return FlatIndex(np.random.default_rng(1).normal(size=(N_ITEMS, FACTORS)).astype(np.float32))


@pytest.fixture(scope="module")
def index(exact):
    return build_approximate(FAMILIES["ivf_pq"], exact, seed=1, progress=silent).with_parameters(
        SearchParameters(8, 60)
    )


@pytest.fixture
def queries(rng):
    return rng.normal(size=(70, FACTORS)).astype(np.float32)


def test_an_answer_does_not_depend_on_what_is_asked_beside_it(index, queries, excluded, answers):
    exclude = excluded([list(range(at)) for at in range(len(queries))], N_ITEMS)
    together = answers(index.search(queries, 9, exclude=exclude))
    alone = [answers(index.search(queries[[at]], 9, exclude=exclude[[at]]))[0] for at in range(len(queries))]
    assert together == alone


def test_scores_are_inner_products_and_what_is_excluded_is_left_out(index, exact, queries, excluded):
    best = exact.search(queries, 5).indices
    exclude = excluded(best.tolist(), N_ITEMS)
    for at, (indices, scores) in enumerate(index.search(queries, 9, exclude=exclude).rows()):
        np.testing.assert_allclose(scores, exact.vectors[indices] @ queries[at], rtol=1e-5)
        assert not set(indices.tolist()) & set(best[at].tolist())
        assert len(set(indices.tolist())) == 9


def test_exact_search_answers_where_too_little_is_found(index, exact, queries, answers):
    """One cell of about thirty items cannot give sixty."""
    little = index.with_parameters(SearchParameters(1, 1))
    assert answers(little.search(queries, 60)) == answers(exact.search(queries, 60))
    assert answers(little.search(queries, 2)) != answers(exact.search(queries, 2))


def test_exact_search_answers_for_a_query_that_is_zero_and_one_that_leaves_out_much(index, exact, excluded, answers):
    queries = np.array([[0] * FACTORS, [1] * FACTORS], np.float32)
    exclude = excluded([[], list(range(100))], N_ITEMS)
    assert answers(index.search(queries, 4, exclude=exclude)) == answers(exact.search(queries, 4, exclude=exclude))


def test_parameters_grow_with_what_is_asked_for():
    parameters = SearchParameters(10, 150)
    steps = steps_to(np.array([1, 50, 51, 100, 101, 200, 400])).tolist()
    assert steps == [-4, -4, -3, 0, 1, 4, 8]
    assert parameters.grown(0) == parameters
    assert parameters.grown(8) == SearchParameters(20, 600)
    assert parameters.grown(-4) == SearchParameters(5, 75)
    # As many candidates as answers, whatever was tuned.
    assert SearchParameters(10, 20).grown(4) == SearchParameters(15, 200)
    with pytest.raises(ModelError, match="probes 0"):
        SearchParameters(0, 1)


def test_with_parameters_leaves_the_other_as_it_was(index):
    assert index.with_parameters(SearchParameters(3, 4)).parameters == SearchParameters(3, 4)
    assert index.parameters == SearchParameters(8, 60)


def test_visited_counts_the_items_of_the_cells_that_are_looked_into(index, queries):
    structure = index.structure
    assert structure.n_cells == 256
    assert structure.visited(queries, 256) == N_ITEMS
    sizes = [structure.native.invlists.list_size(cell) for cell in range(256)]
    assert min(sizes) <= structure.visited(queries[:1], 1) <= max(sizes)


def test_without_items_there_is_nothing_to_build():
    with pytest.raises(ModelError, match="no item vectors"):
        build_approximate(FAMILIES["ivf_flat"], FlatIndex(np.zeros((0, 3), np.float32)), seed=1, progress=silent)
