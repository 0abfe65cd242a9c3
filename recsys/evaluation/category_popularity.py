"""Popularity in a category: how popular items are whose attribute has the same value."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.arrays import Indices
from recsys.data.arrow_file import one_array
from recsys.data.items import TITLE, Items
from recsys.evaluation.metrics import Integers, Values

_CATEGORIES = ("text", "list")


def category_columns(items: Items) -> Iterator[str]:
    """The attributes of texts, or of lists of texts, in which some value occurs twice."""
    for name, kind in items.kinds.items():
        if name != TITLE and kind in _CATEGORIES:
            _, values = _pairs(items, name)
            if pc.count_distinct(values).as_py() < len(values):
                yield name


def popularity_by_category(items: Items, column: str, n_users: Integers, *, counted: Indices) -> Values:
    """Float64 (n_items,): the mean of `n_users`, int (n_items,), over the `counted` items with the same value.

    `column`: an attribute of texts or lists; for a list the mean over its members. `counted`: int32 (m,), positions.
    An item of which the value is unknown, or which no counted item has, gets zero.
    """
    item, values = _pairs(items, column)
    codes = np.asarray(pc.fill_null(values.dictionary_encode().indices, 0), np.int64)
    is_counted = np.isin(item, counted)
    n_values = int(codes.max(initial=-1)) + 1
    total = np.bincount(codes[is_counted], weights=n_users[item[is_counted]], minlength=n_values)
    number = np.bincount(codes[is_counted], minlength=n_values)
    mean = np.divide(total, number, out=np.zeros(n_values), where=number > 0)
    n_members = np.bincount(item, minlength=len(items.ids))
    summed = np.bincount(item, weights=mean[codes], minlength=len(items.ids))
    return np.divide(summed, n_members, out=np.zeros(len(items.ids)), where=n_members > 0)


def _pairs(items: Items, column: str) -> tuple[Indices, pa.Array]:
    """Int32 (m,) positions of items, and the known values of the attribute there, one row per member of a list."""
    values = one_array(items.table.column(column))
    if pa.types.is_list(values.type):
        item, values = np.asarray(pc.list_parent_indices(values), np.int32), pc.list_flatten(values)
    else:
        item = np.arange(len(values), dtype=np.int32)
    known = values.is_valid()
    return item[np.asarray(known, np.bool_)], values.filter(known).cast(pa.string())
