"""Tree to mask: which items pass.

A condition on an unknown value is false, and `not` reverses exactly that: every item passes a filter or its negation,
never both.
"""

import functools
import math
import operator
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias
from typing import Literal as OneOf

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.arrays import read_only
from recsys.data.items import Items
from recsys.engine.filters.periods import Period, period_of
from recsys.engine.filters.tree import (
    And,
    Attribute,
    Comparison,
    Contains,
    Filter,
    Literal,
    Membership,
    Missing,
    Not,
    Or,
)
from recsys.errors import FilterError
from recsys.suggestions import nearest_name

Mask: TypeAlias = NDArray[np.bool_]
"""bool (n_items,): which items pass."""

ID = "id"
"""The name of the item's id, unless the catalogue has an attribute of that name."""

Kind: TypeAlias = OneOf["numbers", "texts", "truth values", "dates", "lists of texts"]

# Here arrays go to pyarrow as buffers, and come from it by DLPack: for `pa.array`, `pa.scalar` and `to_numpy` pyarrow
# imports pandas, and the first question with a filter would wait for that.

_MOST_NAMES = 20
_LONGEST_NAME = 64

# pyarrow is untyped, and numpy's operators take what its arrays do.
_Comparator: TypeAlias = Callable[..., Any]
_OF_NUMBERS: Mapping[str, _Comparator] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OF_TEXTS: Mapping[str, _Comparator] = {
    "=": pc.equal,
    "<": pc.less,
    "<=": pc.less_equal,
    ">": pc.greater,
    ">=": pc.greater_equal,
}
_A_VALUE: Mapping[Kind, str] = {
    "numbers": "a number",
    "texts": "a text in quotes",
    "truth values": "`true` or `false`",
    "dates": 'a date in quotes, such as "2024-05-31", "2024-05" or "2024"',
    "lists of texts": "a text in quotes",
}
_ONLY_EQUAL: Mapping[Kind, str] = {
    "truth values": "expected `=` or `!=` for an attribute that is true or false",
    "lists of texts": "expected `=`, `!=`, `in` or `contains` for an attribute that holds lists",
}
"""By kind without an order."""

_SPELLED_AS: Mapping[Kind, Kind] = {"dates": "texts", "lists of texts": "texts"}


@dataclass(frozen=True, eq=False)
class Column:
    """One attribute of all items.

    `values`: int64, float64 or bool (n_items,), any number if unknown; of "dates" the microseconds since 1970, of
    "texts" a pyarrow string array, of "lists of texts" a pyarrow list array. `known`: bool (n_items,).
    """

    kind: Kind
    values: NDArray[np.int64] | NDArray[np.float64] | NDArray[np.bool_] | pa.StringArray | pa.ListArray
    known: NDArray[np.bool_]


def compile_filter(tree: Filter, items: Items) -> Mask:
    """Which of `items` pass: bool (n_items,), read-only.

    Raises FilterError if the items have no such attribute, or a value is of another kind than its attribute.
    """
    return read_only(_mask(tree, items))


def _mask(tree: Filter, items: Items) -> Mask:
    match tree:
        case And(parts):
            return functools.reduce(operator.and_, (_mask(part, items) for part in parts))
        case Or(parts):
            return functools.reduce(operator.or_, (_mask(part, items) for part in parts))
        case Not(part):
            return ~_mask(part, items)
        case Missing(attribute):
            return ~column_of(items, attribute).known
        case Comparison():
            return _compared(column_of(items, tree.attribute), tree)
        case Membership(attribute, literals):
            return _is_in(column_of(items, attribute), literals)
        case Contains():
            return _containing(column_of(items, tree.attribute), tree)


def _compared(column: Column, comparison: Comparison) -> Mask:
    value, sign = _checked(comparison.value, column.kind), comparison.operator
    if column.kind in _ONLY_EQUAL and sign != "=":
        raise FilterError(_ONLY_EQUAL[column.kind], position=comparison.value.position)
    if column.kind == "texts":
        return as_mask(_OF_TEXTS[sign](column.values, texts([value])[0]))
    if column.kind == "lists of texts":
        return _has_member(column, lambda members: pc.is_in(members, value_set=texts([value])))
    if column.kind == "dates":
        return _in_time(column, sign, value)
    bound = _whole(value, sign) if isinstance(value, float) and _is_whole(column) else value
    mask: Mask = _OF_NUMBERS[sign](column.values, bound) & column.known
    return mask


def _in_time(column: Column, sign: str, period: Period) -> Mask:
    """`>` is after the whole period, `>=` from its start on."""
    times = np.asarray(column.values, np.int64)
    if sign == "=":
        return (times >= period.start) & (times < period.end) & column.known
    bound = period.start if sign in ("<", ">=") else period.end
    mask: Mask = (times < bound if sign in ("<", "<=") else times >= bound) & column.known
    return mask


def _is_in(column: Column, literals: tuple[Literal, ...]) -> Mask:
    values = [_checked(literal, column.kind) for literal in literals]
    if column.kind == "texts":
        return as_mask(pc.is_in(column.values, value_set=texts(values)))
    if column.kind == "lists of texts":
        return _has_member(column, lambda members: pc.is_in(members, value_set=texts(values)))
    if column.kind == "dates":
        return functools.reduce(operator.or_, (_in_time(column, "=", period) for period in values))
    if _is_whole(column):
        limits = np.iinfo(column.values.dtype)
        values = [int(value) for value in values if float(value).is_integer() and limits.min <= value <= limits.max]
    mask: Mask = np.isin(column.values, np.array(values, column.values.dtype)) & column.known
    return mask


def _has_member(column: Column, passes: Callable[[pa.StringArray], pa.BooleanArray]) -> Mask:
    """Whether any member of an item's list passes."""
    members, items = pc.list_flatten(column.values), pc.list_parent_indices(column.values)
    mask = np.zeros(len(column.known), np.bool_)
    mask[np.from_dlpack(items)[as_mask(passes(members))]] = True
    return mask


def _containing(column: Column, contains: Contains) -> Mask:
    if column.kind not in ("texts", "lists of texts"):
        message = f"expected an attribute that holds texts or lists; this one holds {column.kind}"
        raise FilterError(message, position=contains.attribute.position)
    wanted = pc.utf8_lower(texts([str(contains.text.value)])[0])
    if column.kind == "lists of texts":
        return _has_member(column, lambda members: pc.equal(pc.utf8_lower(members), wanted))
    return as_mask(pc.match_substring(pc.utf8_lower(column.values), wanted.as_py()))


def _checked(literal: Literal, kind: Kind) -> Any:
    """The value; of a date its period. Raises FilterError if it is not of the kind that the attribute holds."""
    value = literal.value
    came: Kind = "truth values" if isinstance(value, bool) else "texts" if isinstance(value, str) else "numbers"
    found = period_of(value) if kind == "dates" and isinstance(value, str) else value
    if found is None or came != _SPELLED_AS.get(kind, kind):
        raise FilterError(f"expected {_A_VALUE[kind]}, because the attribute holds {kind}", position=literal.position)
    return found


def _is_whole(column: Column) -> bool:
    return column.kind == "numbers" and bool(np.issubdtype(column.values.dtype, np.integer))


def _whole(value: float, sign: str) -> float:
    """The bound that gives the same answer for whole numbers as `value`; comparing both as float64 would round."""
    if value.is_integer():
        return int(value)
    return value if sign == "=" else math.ceil(value) if sign in ("<", ">=") else math.floor(value)


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
