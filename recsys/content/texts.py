"""The text of an item: what its title and attributes say, as one string."""

from collections.abc import Sequence

import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.arrow_file import one_array
from recsys.data.attributes import kind_of
from recsys.data.items import Items
from recsys.errors import ConfigError
from recsys.suggestions import nearest_name

_READABLE = ("text", "list")


def text_columns(items: Items, columns: Sequence[str], *, key: str = "content.columns") -> tuple[str, ...]:
    """The columns of `items` to read as text: `columns`, or by default all that hold texts or lists of texts.

    Raises ConfigError, naming `key`, if one is unknown, or none is left.
    """
    known = items.table.column_names
    for name in columns:
        if name not in known:
            nearest = nearest_name(name, known)
            hint = f"did you mean {nearest!r}?" if nearest else f"known: {', '.join(known)}"
            raise ConfigError(f"{key}: {name!r} is neither the title nor an attribute of [items]; {hint}")
    chosen = tuple(columns) or tuple(name for name in known if items.kinds[name] in _READABLE)
    if not chosen:
        raise ConfigError(f"{key}: no attribute of [items] holds text; known: {', '.join(known) or 'none'}")
    return chosen


def texts_of(items: Items, columns: Sequence[str]) -> pa.StringArray:
    """String (n_items,): the values of `columns`, joined by ". "; empty if all are unknown."""
    joined = pa.array([""] * len(items.ids), pa.string())
    for name in columns:
        value = pc.fill_null(_as_text(one_array(items.table.column(name))), "")
        both = pc.binary_join_element_wise(joined, value, ". ")
        joined = pc.if_else(pc.equal(joined, ""), value, pc.if_else(pc.equal(value, ""), joined, both))
    return joined


def _as_text(column: pa.Array) -> pa.Array:
    if kind_of(column.type) == "list":
        return pc.binary_join(column.cast(pa.list_(pa.string())), ", ")
    return column.cast(pa.string())
