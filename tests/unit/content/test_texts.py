import pyarrow as pa

from recsys.content.texts import text_columns, texts_of
from recsys.data.id_map import IdMap
from recsys.data.items import Items


def _items() -> Items:
    ids, _ = IdMap.of(pa.array(["a", "b", "c", "d"]))
    table = {
        "title": ["Emma", None, "", None],
        "price": [1, 2, 3, 4],
        "tags": pa.array([["love", "wit"], ["war"], [], None], pa.list_(pa.string())),
    }
    return Items(ids, pa.table(table))


def test_known_values_are_joined_and_unknown_ones_leave_no_trace() -> None:
    assert texts_of(_items(), ("title", "tags")).to_pylist() == ["Emma. love, wit", "war", "", ""]


def test_by_default_every_column_that_holds_text_is_read() -> None:
    assert text_columns(_items(), ()) == ("title", "tags")
