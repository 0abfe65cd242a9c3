"""Items: titles and attributes, by position."""

from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.errors import ArtifactError, DataError

IDS, _ = IdMap.of(["a", "b", "c"])
ITEMS = Items(IDS, pa.table({"title": ["Apple", None, "Cup"], "price": [1.5, 2.0, None], "kind": [None, "x", "y"]}))


def test_titles_and_known_attributes() -> None:
    assert [ITEMS.title(position) for position in range(3)] == ["Apple", None, "Cup"]
    assert ITEMS.attributes(0) == {"price": 1.5}
    assert ITEMS.attributes(1) == {"price": 2.0, "kind": "x"}


def test_every_column_has_a_kind_and_values_are_those_of_json() -> None:
    columns = {
        "title": pa.array(["A", "B", "C"]),
        "pages": pa.array([1, 2, 3]),
        "sold": pa.array([True, False, None]),
        "released": pa.array([date(2010, 1, 2), None, None]),
        "seen": pa.array([datetime(2010, 1, 2, 3, 4), None, None], pa.timestamp("us")),
        "tags": pa.array([["x"], [], None]),
    }
    items = Items(IDS, pa.table(columns))
    assert list(items.kinds.values()) == ["text", "number", "boolean", "date", "date", "list"]
    assert items.attributes(0) == {
        "pages": 1,
        "sold": True,
        "released": "2010-01-02",
        "seen": "2010-01-02T03:04:00Z",
        "tags": ["x"],
    }


def test_items_of_which_nothing_is_known() -> None:
    bare = Items.without_attributes(IDS)
    assert (bare.title(1), bare.attributes(1)) == (None, {})
    assert Items(IDS, pa.table({"price": [1, 2, 3]})).title(0) is None


@pytest.mark.parametrize("kind", [pa.large_string(), pa.string_view(), pa.dictionary(pa.int32(), pa.string())])
def test_titles_of_any_kind_of_text(kind: pa.DataType) -> None:
    column = pa.chunked_array([pa.array(["Apple", None], pa.string()).cast(kind), pa.array(["Cup"]).cast(kind)])
    items = Items(IDS, pa.table({"title": column}))
    assert [items.title(position) for position in range(3)] == ["Apple", None, "Cup"]


def test_titles_of_many_items_are_not_copied() -> None:
    items = Items(IDS, pa.table({"title": ["Apple" * 1000, None, "Cup"]}), list_up_to=0)
    before = pa.total_allocated_bytes()
    assert items.title(2) == "Cup"
    assert pa.total_allocated_bytes() == before


def test_a_table_of_another_length_is_refused() -> None:
    with pytest.raises(DataError, match="2 rows for 3 ids"):
        Items(IDS, pa.table({"title": ["a", "b"]}))


def test_knowledge_moves_to_the_items_of_another_map() -> None:
    others, _ = IdMap.of(["c", "a", "new"])
    moved = ITEMS.aligned(others)
    assert moved.ids is others
    assert moved.table.to_pydict() == {
        "title": ["Apple", "Cup", None],
        "price": [1.5, None, None],
        "kind": [None, "y", None],
    }


def test_saved_items_come_back(tmp_path: Path) -> None:
    ITEMS.save(tmp_path / "items.arrow")
    assert Items.load(tmp_path / "items.arrow", IDS).table.equals(ITEMS.table)


@pytest.mark.parametrize("damage", ["missing", "garbage", "shorter"])
def test_another_file_is_refused(tmp_path: Path, damage: str) -> None:
    path = tmp_path / "items.arrow"
    if damage == "garbage":
        path.write_bytes(b"garbage")
    elif damage == "shorter":
        Items.without_attributes(IdMap.of(["a"])[0]).save(path)
    with pytest.raises(ArtifactError, match=r"items\.arrow: (is missing; )?expected an Arrow file"):
        Items.load(path, IDS)
