"""Numbers that faiss would follow into memory unchecked."""

import faiss
import numpy as np
import pytest

from recsys.retrieval.families.structure_checks import check_cells, check_graph

N, DIMENSION = 200, 16


@pytest.fixture
def vectors(rng):
    return rng.normal(size=(N, DIMENSION)).astype(np.float32)


@pytest.fixture
def graph(vectors):
    structure = faiss.IndexHNSWFlat(DIMENSION, 4)
    structure.add(vectors)
    return structure


@pytest.fixture
def cells(vectors):
    structure = faiss.IndexIVFFlat(faiss.IndexFlatIP(DIMENSION), DIMENSION, 4, faiss.METRIC_INNER_PRODUCT)
    structure.train(vectors)
    structure.add(vectors)
    return structure


def _view(vector):
    return faiss.rev_swig_ptr(vector.data(), vector.size())


def test_sound_structures_pass(graph, cells):
    check_graph(graph)
    check_cells(cells)


@pytest.mark.parametrize(
    ("part", "at", "value", "message"),
    [
        ("neighbors", 0, N, "a link leads to no node"),
        ("neighbors", 5, -2, "a link leads to no node"),
        ("levels", 3, 99, "a level that the graph does not have"),
        ("levels", 3, 0, "a level that the graph does not have"),
        ("offsets", 1, 10**9, "another number of links than its level"),
        ("offsets", N, 5, "do not fit their number"),
    ],
)
def test_a_number_of_a_graph_that_leads_elsewhere_is_refused(graph, part, at, value, message):
    _view(getattr(graph.hnsw, part))[at] = value
    with pytest.raises(ValueError, match=message):
        check_graph(graph)


def test_a_search_that_begins_nowhere_is_refused(graph):
    graph.hnsw.entry_point = N
    with pytest.raises(ValueError, match="begins at no node"):
        check_graph(graph)


def test_vectors_that_are_no_numbers_are_refused(graph, cells):
    faiss.rev_swig_ptr(faiss.downcast_index(graph.storage).get_xb(), N * DIMENSION)[7] = np.nan
    with pytest.raises(ValueError, match="NaN or infinity"):
        check_graph(graph)
    faiss.rev_swig_ptr(faiss.downcast_index(cells.quantizer).get_xb(), 4 * DIMENSION)[7] = np.inf
    with pytest.raises(ValueError, match="NaN or infinity"):
        check_cells(cells)


@pytest.mark.parametrize("value", [-1, N, None])
def test_an_item_that_is_twice_or_not_at_all_in_the_cells_is_refused(cells, value):
    cell = next(cell for cell in range(4) if cells.invlists.list_size(cell) > 1)
    ids = faiss.rev_swig_ptr(cells.invlists.get_ids(cell), cells.invlists.list_size(cell))
    ids[0] = ids[1] if value is None else value
    with pytest.raises(ValueError, match="not every item once"):
        check_cells(cells)
