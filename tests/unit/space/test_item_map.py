import importlib.util
import sys
from typing import Any

import numpy as np
import pytest

from recsys.errors import ConfigError, DataError
from recsys.space.item_map import check_map, check_places, made_by, make_map

needs_open_tsne = pytest.mark.skipif(importlib.util.find_spec("openTSNE") is None, reason="openTSNE is not installed")

METHODS = ["pca", pytest.param("tsne", marks=needs_open_tsne)]


def _groups(n: int = 120, groups: int = 4) -> tuple[np.ndarray, np.ndarray]:
    """Vectors of planted groups, and the group of each."""
    rng = np.random.default_rng(8)
    group = np.arange(n) % groups
    vectors = np.eye(groups, 12)[group] * 5 + rng.normal(0, 0.4, (n, 12))
    return vectors.astype(np.float32), group


def _same_group_nearest(places: np.ndarray, group: np.ndarray) -> float:
    """Share of items whose nearest neighbour on the map is of their group."""
    distance = np.linalg.norm(places[:, None] - places[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return float((group[distance.argmin(axis=1)] == group).mean())


@pytest.mark.parametrize("method", METHODS)
def test_items_without_a_vector_have_no_place(method: Any) -> None:
    vectors, _ = _groups()
    vectors[[3, 7]] = 0
    places = make_map(vectors, np.ones(120, np.float32), method=method, most=120)
    assert np.flatnonzero(np.isnan(places).any(axis=1)).tolist() == [3, 7]
    check_places(places, 120)


@pytest.mark.parametrize("method", METHODS)
def test_the_map_is_centred_in_a_circle_of_radius_one(method: Any) -> None:
    places = make_map(_groups()[0], np.ones(120, np.float32), method=method, most=120)
    np.testing.assert_allclose(places.mean(axis=0), 0, atol=1e-5)
    assert np.linalg.norm(places, axis=1).max() == pytest.approx(1, abs=1e-5)


@pytest.mark.parametrize("method", METHODS)
def test_the_same_vectors_give_the_same_map(method: Any) -> None:
    vectors, _ = _groups()
    first, second = (make_map(vectors, np.ones(120, np.float32), method=method, most=120) for _ in range(2))
    np.testing.assert_array_equal(first, second)


@needs_open_tsne
def test_planted_groups_stay_together() -> None:
    vectors, group = _groups()
    places = make_map(vectors, np.ones(120, np.float32), method="tsne", most=120)
    assert _same_group_nearest(places, group) > 0.95


@needs_open_tsne
def test_items_beyond_the_limit_are_placed_beside_their_neighbours() -> None:
    vectors, group = _groups()
    degree = np.arange(120, dtype=np.float32)
    places = make_map(vectors, degree, method="tsne", most=60)
    assert np.isfinite(places).all()
    assert _same_group_nearest(places, group) > 0.95


@needs_open_tsne
def test_genres_of_the_shop_are_neighbours(shop: Any) -> None:
    _, model, _, genres = shop
    places = make_map(model.embeddings.items, model.item_degree, method="tsne", most=400)
    known = np.isfinite(places).all(axis=1)
    assert _same_group_nearest(places[known], np.array(genres)[known]) > 0.85


def test_pca_keeps_a_plane_as_it_is() -> None:
    """Points of a circle that lie in a plane of six dimensions keep their distances, up to one scale."""
    angle = np.linspace(0, 2 * np.pi, 40, endpoint=False)
    circle = np.column_stack([np.cos(angle), 0.6 * np.sin(angle), np.full(40, 0.1)])
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(6, 6)))[0][:3]
    vectors = (circle @ turned).astype(np.float32)
    places = make_map(vectors, np.ones(40, np.float32), method="pca", most=40)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    ratio = np.linalg.norm(places - places[0], axis=1)[1:] / np.linalg.norm(unit - unit[0], axis=1)[1:]
    assert ratio.std() / ratio.mean() < 0.02


def test_no_map_and_no_vectors() -> None:
    vectors = np.zeros((5, 3), np.float32)
    assert make_map(vectors, np.zeros(5, np.float32), method="none", most=5) is None
    assert np.isnan(make_map(vectors, np.zeros(5, np.float32), method="pca", most=5)).all()


@pytest.mark.parametrize("n", [1, 2, 5])
@pytest.mark.parametrize("method", METHODS)
def test_a_few_items_have_a_map_too(method: Any, n: int) -> None:
    places = make_map(np.eye(n, 3, dtype=np.float32) + 0.1, np.ones(n, np.float32), method=method, most=100)
    assert np.isfinite(places).all()


def test_input_is_not_modified() -> None:
    vectors, _ = _groups()
    before = vectors.copy()
    make_map(vectors, np.ones(120, np.float32), method="pca", most=50)
    np.testing.assert_array_equal(vectors, before)


@pytest.mark.parametrize(
    "places",
    [
        np.zeros((3, 2)),
        np.zeros((2, 2), np.float32),
        np.array([[np.inf, 0], [0, 0], [0, 0]], np.float32),
        np.array([[np.nan, 0], [0, 0], [0, 0]], np.float32),
    ],
)
def test_what_is_no_map_is_refused(places: np.ndarray) -> None:
    with pytest.raises(DataError, match="map: "):
        check_places(places, 3)


def test_a_missing_package_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "openTSNE", None)  # as if it could not be imported
    with pytest.raises(ConfigError, match="openTSNE"):
        check_map("tsne")


def test_how_places_are_made_is_told() -> None:
    assert made_by("pca", 10, 5) == "PCA"
    assert made_by("tsne", 5_000, 5_000) == "t-SNE"
    assert made_by("tsne", 5_001, 5_000).startswith("t-SNE of the 5,000 items")
