"""Tree to mask: which items pass.

A condition on an unknown value is false, and `not` reverses exactly that: every item passes a filter or its negation,
never both.
"""

import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.arrays import read_only
from recsys.data.items import Items
from recsys.engine.filters.columns import Column, Columns, Kind, Mask, as_mask, texts
from recsys.engine.filters.periods import Period, period_of
from recsys.engine.filters.tree import (
    And,
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


def compile_filter(tree: Filter, items: Items, *, columns: Columns | None = None) -> Mask:
    """Which of `items` pass: bool (n_items,), read-only. `columns`: those of `items`, if they are kept.

    Raises FilterError if the items have no such attribute, or a value is of another kind than its attribute.
    """
    return read_only(_mask(tree, Columns(items) if columns is None else columns))


def _mask(tree: Filter, columns: Columns) -> Mask:
    match tree:
        case And(parts):
            return functools.reduce(operator.and_, (_mask(part, columns) for part in parts))
        case Or(parts):
            return functools.reduce(operator.or_, (_mask(part, columns) for part in parts))
        case Not(part):
            return ~_mask(part, columns)
        case Missing(attribute):
            return ~columns.column(attribute).known
        case Comparison():
            return _compared(columns.column(tree.attribute), tree)
        case Membership(attribute, literals):
            return _is_in(columns.column(attribute), literals)
        case Contains():
            return _containing(columns, tree)


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


def _containing(columns: Columns, contains: Contains) -> Mask:
    column = columns.column(contains.attribute)
    if column.kind not in ("texts", "lists of texts"):
        message = f"expected an attribute that holds texts or lists; this one holds {column.kind}"
        raise FilterError(message, position=contains.attribute.position)
    wanted = pc.utf8_lower(texts([str(contains.text.value)])[0])
    lower = columns.lower(contains.attribute)
    if column.kind == "lists of texts":
        return _has_member(column, lambda _: pc.equal(lower, wanted))
    return as_mask(pc.match_substring(lower, wanted.as_py()))


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
