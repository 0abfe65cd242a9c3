import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine.shared_attributes import shared_columns


@pytest.fixture
def items() -> Items:
    ids, _ = IdMap.of(pa.array(["a", "b", "c"]))
    table = {
        "title": ["The Grumpy Piglet 4", "The Woolly Kitten", "Grumpy Owl"],
        "genre": ["children", "children", None],
        "series": ["The Grumpy Piglet", None, "The Grumpy Owl"],
        "tags": pa.array([["pig", "farm"], ["cat"], ["farm"]], pa.list_(pa.string())),
        "year": [2026, 2025, 2026],
    }
    return Items(ids, pa.table(table))


def test_a_column_counts_only_if_both_say_something_in_common(items: Items) -> None:
    columns = ("series", "genre", "tags", "year")
    assert shared_columns(items, 0, 1, columns) == ["genre"]
    assert shared_columns(items, 0, 2, columns) == ["series", "tags", "year"]


def test_short_words_do_not_count(items: Items) -> None:
    assert shared_columns(items, 0, 1, ("title",)) == []
    assert shared_columns(items, 0, 2, ("title",)) == ["title"]


def test_a_column_that_is_not_there_stays(items: Items) -> None:
    assert shared_columns(items, 0, 1, ("title", "publisher")) == ["publisher"]
