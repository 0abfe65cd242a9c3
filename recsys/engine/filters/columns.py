"""Columns: attributes of items as filters read them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal as OneOf
from typing import TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.items import Items
from recsys.engine.filters.lru import LruCache
from recsys.engine.filters.tree import Attribute
from recsys.errors import FilterError
from recsys.suggestions import nearest_name

Mask: TypeAlias = NDArray[np.bool_]
"""bool (n_items,): which items pass."""

ID = "id"
"""The name of the item's id, unless the catalogue has an attribute of that name."""

Kind: TypeAlias = OneOf["numbers", "texts", "truth values", "dates", "lists of texts"]

COLUMN_BYTES = 64 * 2**20
"""How much the columns of recent filters take at most; what does not fit is made anew for each filter."""

# Here arrays go to pyarrow as buffers, and come from it by DLPack: for `pa.array`, `pa.scalar` and `to_numpy` pyarrow
# imports pandas, and the first question with a filter would wait for that.

_MOST_NAMES = 20
_LONGEST_NAME = 64


@dataclass(frozen=True, eq=False)
class Column:
    """One attribute of all items.

    `values`: int64, float64 or bool (n_items,), any number if unknown; of "dates" the microseconds since 1970, of
    "texts" a pyarrow string array, of "lists of texts" a pyarrow list array. `known`: bool (n_items,).
    """

    kind: Kind
    values: NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_] | pa.StringArray | pa.ListArray
    known: NDArray[np.bool_]

    @property
    def nbytes(self) -> int:
        """Bytes."""
        return int(self.values.nbytes) + self.known.nbytes


class Columns:
    """The columns of `items`, each made once as long as they fit into `max_bytes`. Threads may share it."""

    def __init__(self, items: Items, *, max_bytes: int = COLUMN_BYTES) -> None:
        self._items = items
        self._columns: LruCache[Column] = LruCache(max_bytes)
        self._lower: LruCache[pa.StringArray] = LruCache(max_bytes)

    def __len__(self) -> int:
        return len(self._items.ids)

    def column(self, attribute: Attribute) -> Column:
        """The column that `attribute` names. Raises FilterError if there is none."""
        return self._columns.get(attribute.name, lambda: column_of(self._items, attribute))

    def lower(self, attribute: Attribute) -> pa.StringArray:
        """Texts (n_items,) in lower case; of lists the members (m,), as `pc.list_flatten` puts them in a row."""
        return self._lower.get(attribute.name, lambda: self._lowered(self.column(attribute)))

    def _lowered(self, column: Column) -> pa.StringArray:
        of_lists = column.kind == "lists of texts"
        return pc.utf8_lower(pc.list_flatten(column.values) if of_lists else column.values)


def column_of(items: Items, attribute: Attribute) -> Column:
    """The column that an attribute names. Raises FilterError if there is none."""
    table = items.table
    if attribute.name in table.column_names:
        found = table.column(attribute.name)
    elif attribute.name == ID:
        found = items.ids.ids
    else:
        raise FilterError(_no_such(attribute.name, filterable(items)), position=attribute.position)
    return _typed(found.combine_chunks() if isinstance(found, pa.ChunkedArray) else found)


def filterable(items: Items) -> list[str]:
    """The names a filter may use."""
    return list(dict.fromkeys((ID, *items.table.column_names)))


def as_mask(truth: pa.BooleanArray) -> NDArray[np.bool_]:
    """bool (n,) of a pyarrow boolean array; what is null is false."""
    return np.from_dlpack(_filled(truth).cast(pa.uint8())).view(np.bool_)


def texts(values: Sequence[str]) -> pa.StringArray:
    """A pyarrow string array (n,)."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def _filled(values: pa.Array) -> pa.Array:
    """Booleans or numbers (n,) with false or 0 for what is null."""
    nothing = pa.Array.from_buffers(values.type, 1, [None, pa.py_buffer(bytes(8))])[0]
    return pc.fill_null(values, nothing)


def _typed(found: pa.Array) -> Column:
    if pa.types.is_boolean(found.type):
        return Column("truth values", as_mask(found), as_mask(found.is_valid()))
    if pa.types.is_integer(found.type) or pa.types.is_floating(found.type):
        whole = pa.types.is_integer(found.type)
        numbers = np.from_dlpack(_filled(found if whole else found.cast(pa.float64())))
        return Column("numbers", numbers, as_mask(found.is_valid()) & ~np.isnan(numbers))
    if pa.types.is_date(found.type) or pa.types.is_timestamp(found.type):
        micros = found.cast(pa.timestamp("us"), safe=False).cast(pa.int64())
        return Column("dates", np.from_dlpack(_filled(micros)), as_mask(found.is_valid()))
    if pa.types.is_list(found.type):
        return Column("lists of texts", found.cast(pa.list_(pa.string())), as_mask(found.is_valid()))
    return Column("texts", found.cast(pa.string()), as_mask(found.is_valid()))


def _no_such(name: str, known: list[str]) -> str:
    """Names the attributes there are, never the one that came."""
    nearest = nearest_name(name[:_LONGEST_NAME], known)
    hint = f"; did you mean {Attribute(nearest)}?" if nearest else ""
    names = ", ".join(str(Attribute(it)) for it in known[:_MOST_NAMES])
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"expected an attribute of the items{hint} (there are {names}{more})"
