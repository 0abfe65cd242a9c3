import numpy as np
import pyarrow as pa

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.evaluation.category_popularity import category_columns, popularity_by_category

N_USERS = np.array([10, 20, 40, 5, 7])


def _items() -> Items:
    ids, _ = IdMap.of(pa.array(["a", "b", "c", "d", "e"]))
    table = {
        "title": ["one", "one", "two", "two", "three"],
        "author": ["x", "x", "y", "y", None],
        "isbn": ["1", "2", "3", "4", "5"],
        "tags": pa.array([["p"], ["q"], ["p", "q"], [], None], pa.list_(pa.string())),
        "year": [1, 1, 2, 2, 3],
    }
    return Items(ids, pa.table(table))


def test_an_item_is_as_popular_as_the_others_of_its_category() -> None:
    found = popularity_by_category(_items(), "author", N_USERS, counted=np.array([0, 2], np.int32))
    np.testing.assert_array_equal(found, [10, 10, 40, 40, 0])


def test_a_list_counts_as_the_mean_of_its_members() -> None:
    found = popularity_by_category(_items(), "tags", N_USERS, counted=np.array([0, 1], np.int32))
    np.testing.assert_array_equal(found, [10, 20, 15, 0, 0])


def test_categories_are_texts_that_some_items_share() -> None:
    assert list(category_columns(_items())) == ["author", "tags"]
