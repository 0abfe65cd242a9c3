from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from scipy.sparse import csr_matrix

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ConfigError
from recsys.space.directions import correlations, direction_between, principal_directions
from recsys.space.items_read import ItemsRead
from recsys.space.terms import Terms, terms_of


def _read(shop: Any) -> ItemsRead:
    items, model, _, _ = shop
    return ItemsRead.of(items, model.embeddings.items, model.item_degree)


def test_the_correlation_is_that_of_pearson() -> None:
    rng = np.random.default_rng(4)
    place, has = rng.normal(size=60), rng.random((60, 3)) < [0.1, 0.5, 0.9]
    found = correlations(Terms(("a", "b", "c"), csr_matrix(has.astype(np.float32))), place)
    np.testing.assert_allclose(found, [np.corrcoef(place, column)[0, 1] for column in has.T], atol=1e-6)


def test_between_books_of_two_genres_the_genres_change(shop: Any) -> None:
    read, genres = _read(shop), shop[3]
    by_use = read.rows[np.argsort(-read.degree, kind="stable")].tolist()
    space, romance = (next(row for row in by_use if genres[row] == name) for name in ("space", "romance"))
    ids = read.items.ids
    found = direction_between(read, terms_of(read.catalogue), (ids.id_at(space), ids.id_at(romance)))
    assert found.low.terms[0].term == "genre: space"
    assert found.high.terms[0].term == "genre: romance"
    assert {genres[ids.position(item.item_id)] for item in found.high.items} == {"romance"}
    assert found.name.startswith("from ")


def test_principal_directions_hold_falling_shares_of_the_variance(shop: Any) -> None:
    read = _read(shop)
    found = principal_directions(read, terms_of(read.catalogue), n=24)
    shares = [each.share for each in found]
    assert shares == sorted(shares, reverse=True)
    assert sum(shares) == pytest.approx(1, abs=1e-3)  # all 24 dimensions
    assert all(each.high.terms[0].term.startswith("genre: ") for each in found[:4])


def test_a_planted_axis_is_found_with_its_ends() -> None:
    """Two tight groups at opposite sides: the first direction goes from one to the other."""
    rng = np.random.default_rng(2)
    side = np.repeat([1.0, -1.0], 30)
    vectors = np.column_stack([np.ones(60), side, rng.normal(0, 0.05, 60)]).astype(np.float32)
    ids, _ = IdMap.of([f"i{at:02d}" for at in range(60)])
    table = pa.table({"colour": np.where(side > 0, "red", "blue").tolist()})
    read = ItemsRead.of(Items(ids, table), vectors, np.ones(60, np.float32))
    [found] = principal_directions(read, terms_of(read.catalogue), n=1)
    ends = {found.low.terms[0].term, found.high.terms[0].term}
    assert ends == {"colour: red", "colour: blue"}
    assert found.share > 0.9


@pytest.mark.parametrize(
    ("ends", "message"), [(("b1", "b1"), "same vector"), (("b1", "nope"), "not in the catalogue")]
)
def test_what_has_no_direction_is_said(ends: tuple[str, str], message: str) -> None:
    ids, _ = IdMap.of(["b1", "b2"])
    read = ItemsRead.of(Items.without_attributes(ids), np.eye(2, dtype=np.float32), np.ones(2, np.float32))
    with pytest.raises(ConfigError, match=message):
        direction_between(read, terms_of(read.catalogue), ends)


def test_an_item_without_a_vector_has_no_direction() -> None:
    ids, _ = IdMap.of(["b1", "b2"])
    vectors = np.array([[1, 0], [0, 0]], np.float32)
    read = ItemsRead.of(Items.without_attributes(ids), vectors, np.ones(2, np.float32))
    with pytest.raises(ConfigError, match="has no vector"):
        direction_between(read, terms_of(read.catalogue), ("b1", "b2"))
