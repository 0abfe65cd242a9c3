import numpy as np
import pyarrow as pa

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.space.items_read import ItemsRead, ShownItem


def test_a_large_catalogue_is_read_by_the_items_with_the_most_users() -> None:
    ids, _ = IdMap.of(["a", "b", "c", "d"])
    vectors = np.array([[3, 4], [1, 0], [0, 0], [0, 2]], np.float32)
    items = Items(ids, pa.table({"title": ["A", "B", "C", None]}))
    read = ItemsRead.of(items, vectors, np.array([5, 1, 9, 2], np.float32), most=2)
    assert read.rows.tolist() == [0, 3]  # c has no vector, b the fewest users
    np.testing.assert_allclose(read.vectors, [[0.6, 0.8], [0, 1]], atol=1e-6)
    assert read.catalogue.ids.ids.to_pylist() == ["a", "d"]
    assert [each.text for each in read.shown(np.array([1, 0], np.int32))] == ["d", "A"]


def test_a_long_title_is_cut() -> None:
    shown = ShownItem("x", "Where Good Ideas Come From: The Natural History of Innovation")
    assert shown.short == "Where Good Ideas Come From: The Natural…"
    assert ShownItem("x", "Dune").short == "Dune"
