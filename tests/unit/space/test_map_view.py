from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.space.item_map import make_map
from recsys.space.map_view import OTHERS
from recsys.space.reading import read_with_map


def _view(items: Items, vectors: np.ndarray, degree: np.ndarray) -> Any:
    _, view = read_with_map(
        items, vectors, degree, make_map(vectors, degree, method="pca", most=1_000), made_by="PCA"
    )
    return view


def test_the_shop_is_coloured_by_genre(shop: Any) -> None:
    items, model, _, genres = shop
    view = _view(items, model.embeddings.items, model.item_degree)
    assert view.coloured_by == "genre"
    assert view.n_items == int(model.embeddings.items.any(axis=1).sum())
    names, counts = np.unique(genres, return_counts=True)
    frequent = set(names[np.argsort(-counts)[:5]].tolist())
    assert {group.name for group in view.groups} == frequent | {OTHERS}
    assert {name.text for name in view.names} <= set(genres) - frequent


@pytest.fixture
def bare() -> Items:
    return Items.without_attributes(IdMap.of([f"i{at:02d}" for at in range(60)])[0])


def test_without_attributes_items_are_coloured_by_their_users(bare: Items) -> None:
    vectors = np.random.default_rng(1).normal(size=(60, 4)).astype(np.float32)
    view = _view(bare, vectors, np.arange(60, dtype=np.float32))
    assert view.coloured_by == "users"
    assert [group.name for group in view.groups] == ["0 to 19 users", "20 to 39 users", "40 to 59 users"]
    assert view.names == ()


def test_an_attribute_that_explains_nothing_gives_no_colour(bare: Items) -> None:
    """Every second item along a line is red."""
    angle = np.linspace(0, 1, 60)
    vectors = np.column_stack([np.cos(angle), np.sin(angle)]).astype(np.float32)
    items = Items(bare.ids, pa.table({"colour": ["red", "blue"] * 30}))
    assert _view(items, vectors, np.ones(60, np.float32)).coloured_by == "users"


def test_nothing_is_drawn_of_one_item(bare: Items) -> None:
    vectors = np.zeros((60, 2), np.float32)
    vectors[0] = 1
    assert _view(bare, vectors, np.ones(60, np.float32)) is None
