"""What is counted from proposals is what a search finds."""

import numpy as np
import pytest

from recsys.progress import silent
from recsys.retrieval.approximate_index import SearchParameters, build_approximate
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.proposals import count_found

N_ITEMS = 9000


@pytest.fixture(scope="module")
def exact():
    """Some items are all zero, and none of them is ever listed."""
    items = np.random.default_rng(1).normal(size=(N_ITEMS, 8)).astype(np.float32)
    items[::50] = 0
    return FlatIndex(items)


@pytest.fixture(scope="module")
def queries():
    """The last is all zero."""
    asked = np.random.default_rng(2).normal(size=(40, 8)).astype(np.float32)
    asked[-1] = 0
    return asked


@pytest.fixture(scope="module", params=["ivf_sq8", "ivf_pq"])
def index(request, exact):
    return build_approximate(FAMILIES[request.param], exact, seed=1, progress=silent)


@pytest.mark.parametrize("parameters", [(1, 100), (6, 150), (60, 128)])
@pytest.mark.parametrize("k", [10, 100])
def test_as_many_are_counted_as_a_search_finds(index, queries, excluded, parameters, k):
    """Queries leave out nothing, some of their best, or so many that exact search answers."""
    best = np.argsort(-(queries @ index.vectors.T), axis=1)
    left_out = excluded([best[row, : (0, 7, 300)[row % 3]].tolist() for row in range(len(queries))], N_ITEMS)
    harder = index.with_parameters(SearchParameters(*parameters))
    for exclude in (None, left_out):
        true = index.exact.search(queries, k, exclude=exclude)
        found = harder.search(queries, k, exclude=exclude)
        expected = [
            len(np.intersect1d(one, two)) for (one, _), (two, _) in zip(found.rows(), true.rows(), strict=True)
        ]
        assert count_found(harder, queries, k, true, exclude=exclude).tolist() == expected


def test_codes_alone_find_no_less_than_all_cells(exact, queries):
    """The same codes, and no cell is left out."""
    family = FAMILIES["ivf_pq"]
    cells = build_approximate(family, exact, seed=1, progress=silent)
    all_cells = cells.with_parameters(SearchParameters(cells.structure.n_cells, 128))
    alone = cells.with_parameters(SearchParameters(1, 128))
    alone.structure = family.codes_alone(exact.vectors, seed=1)
    true = exact.search(queries, 100)
    assert count_found(alone, queries, 100, true).sum() >= 0.98 * count_found(all_cells, queries, 100, true).sum()
    assert FAMILIES["ivf_sq8"].codes_alone(exact.vectors, seed=1) is None
