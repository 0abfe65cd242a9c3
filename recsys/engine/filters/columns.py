"""What a filter can ask about an item, by name and kind."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.items import Items
from recsys.engine.filters.tree import Attribute
from recsys.errors import FilterError
from recsys.suggestions import nearest_name

ID = "id"
"""Asks for the item's id, unless the catalogue has an attribute of that name."""

Kind: TypeAlias = Literal["numbers", "texts", "truth values"]

# Here arrays go to pyarrow as buffers, and come from it by DLPack: for `pa.array`, `pa.scalar` and `to_numpy` pyarrow
# imports pandas, for which the first question with a filter would wait.

_MOST_NAMES = 20
_LONGEST_NAME = 64


@dataclass(frozen=True, eq=False)
class Column:
    """One attribute of all items.

    `values`: int64, float64 or bool (n_items,), any number where unknown; a pyarrow string array where `kind` is
    "texts". `known`: bool (n_items,).
    """

    kind: Kind
    values: Any
    known: NDArray[np.bool_]


def column_of(items: Items, attribute: Attribute) -> Column:
    """The column an attribute names. Raises FilterError where there is none."""
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


def as_mask(truth: Any) -> NDArray[np.bool_]:
    """bool (n,) of a pyarrow boolean array; what is null is false."""
    return np.from_dlpack(_filled(truth).cast(pa.uint8())).view(np.bool_)


def texts(values: Sequence[str]) -> Any:
    """A pyarrow string array (n,)."""
    encoded = [value.encode() for value in values]
    ends = np.cumsum([0, *map(len, encoded)], dtype=np.int32)
    return pa.StringArray.from_buffers(len(encoded), pa.py_buffer(ends), pa.py_buffer(b"".join(encoded)))


def _filled(values: Any) -> Any:
    """Booleans or numbers (n,) with false or 0 for what is null."""
    nothing = pa.Array.from_buffers(values.type, 1, [None, pa.py_buffer(bytes(8))])[0]
    return pc.fill_null(values, nothing)


def _typed(found: Any) -> Column:
    if pa.types.is_boolean(found.type):
        return Column("truth values", as_mask(found), as_mask(found.is_valid()))
    if pa.types.is_integer(found.type) or pa.types.is_floating(found.type):
        whole = pa.types.is_integer(found.type)
        numbers = np.from_dlpack(_filled(found if whole else found.cast(pa.float64())))
        return Column("numbers", numbers, as_mask(found.is_valid()) & ~np.isnan(numbers))
    return Column("texts", found.cast(pa.string()), as_mask(found.is_valid()))


def _no_such(name: str, known: list[str]) -> str:
    """Names what there is, never what came."""
    nearest = nearest_name(name[:_LONGEST_NAME], known)
    hint = f"; did you mean {Attribute(nearest)}?" if nearest else ""
    names = ", ".join(str(Attribute(it)) for it in known[:_MOST_NAMES])
    more = f" and {len(known) - _MOST_NAMES} more" if len(known) > _MOST_NAMES else ""
    return f"expected an attribute of the items{hint} (there are {names}{more})"
