import faiss
import numpy as np
import pytest

from recsys.progress import silent
from recsys.retrieval.approximate_index import SearchParameters, build_approximate
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex, build_index
from recsys.retrieval.measurement import recall

NAMES = ("ivf_flat", "ivf_sq8", "ivf_pq", "hnsw")
FACTORS = 12


@pytest.fixture(scope="module")
def clustered():
    """3000 items around 60 centres, lengths log-normal."""
    rng = np.random.default_rng(3)
    centres = rng.normal(size=(60, FACTORS))
    items = centres[rng.integers(0, 60, 3000)] + 0.3 * rng.normal(size=(3000, FACTORS))
    return (items * rng.lognormal(0, 0.4, (3000, 1))).astype(np.float32)


@pytest.fixture(scope="module")
def exact(clustered):
    return build_index(clustered)


def _bytes(index):
    return bytes(index.structure.to_bytes())


@pytest.mark.parametrize("family", NAMES)
def test_the_same_whatever_the_threads_and_another_seed_is_another(family, exact):
    before = faiss.omp_get_max_threads()
    try:
        made = []
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            made.append(_bytes(build_approximate(FAMILIES[family], exact, seed=1, progress=silent)))
            assert faiss.omp_get_max_threads() == threads
    finally:
        faiss.omp_set_num_threads(before)
    assert made[0] == made[1]
    if family != "hnsw":
        assert _bytes(build_approximate(FAMILIES[family], exact, seed=2, progress=silent)) != made[0]


@pytest.mark.parametrize("family", NAMES)
def test_a_part_of_the_work_finds_nearly_all_by_inner_product(family, exact, rng):
    queries = rng.normal(size=(60, FACTORS)).astype(np.float32)
    index = build_approximate(FAMILIES[family], exact, seed=1, progress=silent).with_parameters(
        SearchParameters(64, 300)
    )
    assert index.kind == family
    assert recall(index.search(queries, 10), exact.search(queries, 10)) > 0.95


@pytest.mark.parametrize("family", NAMES)
def test_the_length_of_a_query_does_not_matter(family, exact, rng):
    queries = rng.normal(size=(30, FACTORS)).astype(np.float32)
    index = build_approximate(FAMILIES[family], exact, seed=1, progress=silent).with_parameters(
        SearchParameters(64, 300)
    )
    for length in (1e-6, 1e3):
        found = index.search(queries * np.float32(length), 10)
        assert recall(found, exact.search(queries, 10)) > 0.95


@pytest.mark.parametrize("n_items", [1, 2, 17])
@pytest.mark.parametrize("family", NAMES)
def test_a_handful_of_items_is_enough(family, n_items, clustered, answers):
    exact = build_index(clustered[:n_items])
    index = build_approximate(FAMILIES[family], exact, seed=1, progress=silent)
    assert answers(index.search(clustered[:2], 3)) == answers(exact.search(clustered[:2], 3))


def test_items_that_are_all_zero_can_be_indexed_and_are_never_listed():
    index = build_approximate(FAMILIES["ivf_sq8"], FlatIndex(np.zeros((40, 3), np.float32)), seed=1, progress=silent)
    assert index.search(np.ones((1, 3), np.float32), 2).counts.tolist() == [0]


def test_building_tells_its_progress_and_changes_no_vector(clustered):
    told, vectors = [], clustered.copy()
    build_approximate(FAMILIES["ivf_flat"], FlatIndex(vectors), seed=1, progress=lambda *step: told.append(step))
    assert told[-1] == ("build ivf_flat", 3000, 3000)
    np.testing.assert_array_equal(vectors, clustered)
