from collections import Counter
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix
from sklearn.metrics import adjusted_mutual_info_score

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.space.broad import broad
from recsys.space.clusters import NamingTerm, assign_clusters, find_clusters, naming_terms, number_of_clusters
from recsys.space.items_read import ItemsRead
from recsys.space.terms import Terms, terms_of


def _read(shop: Any) -> ItemsRead:
    items, model, _, _ = shop
    return ItemsRead.of(items, model.embeddings.items, model.item_degree)


def test_clusters_are_the_planted_genres(shop: Any) -> None:
    read, genres = _read(shop), np.array(shop[3])
    cluster, _ = assign_clusters(broad(read.vectors), len(set(genres)))
    assert adjusted_mutual_info_score(genres[read.rows], cluster) > 0.8


def test_clusters_are_named_after_the_planted_genres(shop: Any) -> None:
    read, genres = _read(shop), np.array(shop[3])
    terms = terms_of(read.catalogue)
    cluster, _ = assign_clusters(broad(read.vectors), len(set(genres)))
    for number, (found, _) in enumerate(find_clusters(read, terms, n_clusters=len(set(genres)))):
        [(genre, _)] = Counter(genres[read.rows[cluster == number]]).most_common(1)
        assert found.terms[0].term == f"genre: {genre}"
        assert found.terms[0].lift > 2


def test_without_structure_no_cluster_is_named_by_chance() -> None:
    rng = np.random.default_rng(3)
    ids, _ = IdMap.of([f"i{at:04d}" for at in range(1_000)])
    table = pa.table({"shelf": [f"s{at}" for at in rng.integers(0, 40, 1_000)]})
    read = ItemsRead.of(Items(ids, table), rng.normal(size=(1_000, 8)).astype(np.float32), np.ones(1_000, np.float32))
    clusters = find_clusters(read, terms_of(read.catalogue))
    assert {each.name for each, _ in clusters} == {"no common term"}


def test_clusters_account_for_every_item_and_event(shop: Any) -> None:
    read = _read(shop)
    clusters = [each for each, _ in find_clusters(read, terms_of(read.catalogue))]
    assert sum(each.n_items for each in clusters) == len(read.rows)
    assert sum(each.share_of_events for each in clusters) == pytest.approx(1)
    assert [each.n_items for each in clusters] == sorted((each.n_items for each in clusters), reverse=True)


def test_the_same_vectors_give_the_same_clusters(shop: Any) -> None:
    vectors = broad(_read(shop).vectors)
    np.testing.assert_array_equal(assign_clusters(vectors, 9)[0], assign_clusters(vectors, 9)[0])


def test_lift_share_and_count_by_hand() -> None:
    """Twelve of 40 items have the term, and nine of the ten of the group: share .9, lift .9 / .3."""
    members = csr_matrix(np.array([[1]] * 9 + [[0]], np.float32))
    [found] = naming_terms(Terms(("genre: space",), members), np.array([12]), 40)
    assert (found.n_items, found.share, found.lift) == (9, pytest.approx(0.9), pytest.approx(3))


def test_two_items_with_a_rare_term_name_nothing() -> None:
    members = csr_matrix(np.array([[1], [1]], np.float32))
    assert naming_terms(Terms(("genre: space",), members), np.array([2]), 100_000) == ()


def test_what_many_have_more_often_comes_before_what_few_have_much_more_often() -> None:
    members = csr_matrix(np.array([[1, 0]] * 15 + [[1, 1]] * 5, np.float32))
    found = naming_terms(Terms(("genre: space", "series: Orbit"), members), np.array([80, 5]), 400)
    assert [each.term for each in found] == ["genre: space", "series: Orbit"]
    assert found[0].lift < found[1].lift


@pytest.mark.parametrize(("n_items", "expected"), [(1, 1), (2, 2), (800, 10), (3_400, 21), (1_000_000, 30)])
def test_the_number_of_clusters_follows_the_number_of_items(n_items: int, expected: int) -> None:
    assert number_of_clusters(n_items) == expected


def test_equal_vectors_are_one_cluster() -> None:
    cluster, centres = assign_clusters(np.ones((20, 1), np.float32), 4)
    assert set(cluster) == {0}
    assert len(centres) == 1


def test_main_directions_keep_the_cosines_of_a_flat_space() -> None:
    """Vectors in a plane of six dimensions: two directions keep every cosine."""
    rng = np.random.default_rng(1)
    flat = rng.normal(size=(50, 2)) @ rng.normal(size=(2, 6))
    vectors = (flat / np.linalg.norm(flat, axis=1, keepdims=True)).astype(np.float32)
    reduced = broad(vectors, dimensions=2)
    np.testing.assert_allclose(reduced @ reduced.T, vectors @ vectors.T, atol=1e-5)


def test_a_term_is_told_with_its_share_and_lift() -> None:
    assert NamingTerm("genre: space", 9, 0.9, 3.04).text == "genre: space (90 %, lift 3.0)"
