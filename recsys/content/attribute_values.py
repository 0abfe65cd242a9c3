"""The values of items' attributes: categories, members of lists and texts, bins of numbers, years of dates."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.content.texts import text_columns
from recsys.data.arrays import Doubles, Floats
from recsys.data.arrow_file import one_array
from recsys.data.attributes import kind_of
from recsys.data.items import TITLE, Items

_MOSTLY_UNIQUE = 0.9


@dataclass(frozen=True, eq=False)
class Values:
    """The values of n items: `row`, int64 (m,), is the item; `text`, string (m,), column and value.

    `share`: float32 (m,), one, but for numbers, which are shared by the two quantiles around them.
    """

    n_items: int
    row: NDArray[np.int64]
    text: pa.StringArray
    share: Floats


def read_attributes(items: Items, columns: Sequence[str]) -> tuple[str, ...]:
    """`columns` or, by default, all attributes but texts that nearly every item has for itself alone (descriptions).

    Raises ConfigError if a column is unknown.
    """
    if columns:
        return text_columns(items, columns)
    kinds = items.kinds
    attributes = [name for name in items.table.column_names if name != TITLE]
    return tuple(name for name in attributes if kinds[name] != "text" or not _mostly_unique(items, name))


def _mostly_unique(items: Items, name: str) -> bool:
    column = items.table.column(name)
    n_known = len(column) - column.null_count
    return n_known > 0 and bool(pc.count_distinct(column).as_py() > _MOSTLY_UNIQUE * n_known)


def edges_of(items: Items, columns: Sequence[str], bins: int) -> dict[str, Doubles]:
    """By number column among `columns`, its quantiles: float64, increasing, up to bins + 1."""
    edges = {}
    for name in columns:
        if items.kinds[name] == "number":
            known = _numbers(items.table.column(name))
            known = known[np.isfinite(known)]
            edges[name] = np.unique(np.quantile(known, np.linspace(0, 1, bins + 1))) if len(known) else np.zeros(1)
    return edges


def values_of(table: pa.Table, columns: Sequence[str], separator: str | None, edges: Mapping[str, Doubles]) -> Values:
    """The known values of `columns` in every row; a value that an item has twice counts once."""
    parts = [part for name in columns for part in _of_column(table.column(name), name, separator, edges)]
    row = np.concatenate([row for row, _, _ in parts] or [np.zeros(0, np.int64)])
    text = pa.concat_arrays([text for _, text, _ in parts]) if parts else pa.array([], pa.string())
    share = np.concatenate([share for _, _, share in parts] or [np.zeros(0, np.float32)])
    once = (
        pa.table({"row": row, "text": text, "share": share}).group_by(["row", "text"]).aggregate([("share", "max")])
    )
    return Values(
        table.num_rows,
        once.column("row").to_numpy(),
        one_array(once.column("text")),
        once.column("share_max").to_numpy(),
    )


_Part = tuple[NDArray[np.int64], pa.StringArray, Floats]


def _of_column(
    column: pa.ChunkedArray, name: str, separator: str | None, edges: Mapping[str, Doubles]
) -> Iterator[_Part]:
    kind = kind_of(column.type)
    if kind == "number":
        yield from _binned(_numbers(column), name, edges[name])
        return
    values = one_array(column)
    if kind == "date":
        values = pc.year(values).cast(pa.string())
    elif kind == "boolean":
        values = values.cast(pa.string())
    elif kind == "text" and separator is not None:
        values = pc.split_pattern(values.cast(pa.string()), separator)
    yield _named(values, name)


def _named(values: pa.Array, name: str) -> _Part:
    """Members with their rows, in lower case, without those that are empty."""
    if pa.types.is_list(values.type):
        row, texts = pc.list_parent_indices(values).to_numpy(), pc.list_flatten(values)
    else:
        row, texts = np.arange(len(values)), values
    texts = pc.utf8_lower(pc.utf8_trim_whitespace(texts.cast(pa.string())))
    known = pc.fill_null(pc.not_equal(texts, ""), False)
    texts = pc.binary_join_element_wise(name, texts.filter(known), "=")
    row = row[known.to_numpy(zero_copy_only=False)].astype(np.int64)
    return row, texts, np.ones(len(row), np.float32)


def _binned(numbers: Doubles, name: str, edges: Doubles) -> Iterator[_Part]:
    """The quantile below and the one above each known number; the nearer one has the larger share."""
    row = np.flatnonzero(np.isfinite(numbers))
    place = np.interp(numbers[row], edges, np.arange(len(edges)))
    below = np.floor(place)
    above_share = place - below
    length = np.hypot(above_share, 1 - above_share)
    for at, share in ((below, (1 - above_share) / length), (below + 1, above_share / length)):
        kept = share > 0
        texts = pa.array([f"{name}={int(each)}" for each in at[kept]], pa.string())
        yield row[kept], texts, share[kept].astype(np.float32)


def _numbers(column: pa.ChunkedArray) -> Doubles:
    numbers: Doubles = column.cast(pa.float64()).to_numpy(zero_copy_only=False)
    return numbers
