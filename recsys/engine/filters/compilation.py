"""Tree to mask: which items pass.

A condition on an unknown value is false, and `not` turns exactly that round: every item passes a filter or its
negation, never both.
"""

import functools
import math
import operator
from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import numpy as np
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.arrays import read_only
from recsys.data.items import Items
from recsys.engine.filters.columns import Column, Kind, as_mask, column_of, texts
from recsys.engine.filters.tree import And, Comparison, Contains, Filter, Literal, Membership, Missing, Not, Or
from recsys.errors import FilterError

Mask: TypeAlias = NDArray[np.bool_]
"""bool (n_items,): which items pass."""

_OF_NUMBERS: Mapping[str, Callable[[Any, Any], Any]] = {
    "=": operator.eq,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}
_OF_TEXTS: Mapping[str, Callable[[Any, Any], Any]] = {
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
}


def compile_filter(tree: Filter, items: Items) -> Mask:
    """Which of `items` pass: bool (n_items,), read-only.

    Raises FilterError where an attribute is none of the items', or a value is of another kind than its attribute.
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
            return _among(column_of(items, attribute), literals)
        case Contains():
            return _containing(column_of(items, tree.attribute), tree)


def _compared(column: Column, comparison: Comparison) -> Mask:
    value, sign = _checked(comparison.value, column.kind), comparison.operator
    if column.kind == "texts":
        return as_mask(_OF_TEXTS[sign](column.values, texts([value])[0]))
    if column.kind == "truth values" and sign != "=":
        raise FilterError(
            "expected `=` or `!=` for an attribute that is true or false", position=comparison.value.position
        )
    bound = _whole(value, sign) if isinstance(value, float) and _is_whole(column) else value
    mask: Mask = _OF_NUMBERS[sign](column.values, bound) & column.known
    return mask


def _among(column: Column, literals: tuple[Literal, ...]) -> Mask:
    values = [_checked(literal, column.kind) for literal in literals]
    if column.kind == "texts":
        return as_mask(pc.is_in(column.values, value_set=texts(values)))
    if _is_whole(column):
        held = np.iinfo(column.values.dtype)
        values = [int(value) for value in values if float(value).is_integer() and held.min <= value <= held.max]
    mask: Mask = np.isin(column.values, np.array(values, column.values.dtype)) & column.known
    return mask


def _containing(column: Column, contains: Contains) -> Mask:
    if column.kind != "texts":
        message = f"expected an attribute that holds texts; this one holds {column.kind}"
        raise FilterError(message, position=contains.attribute.position)
    wanted = pc.utf8_lower(texts([str(contains.text.value)])[0]).as_py()
    return as_mask(pc.match_substring(pc.utf8_lower(column.values), wanted))


def _checked(literal: Literal, kind: Kind) -> Any:
    """The value, where it is of the kind that the attribute holds."""
    value = literal.value
    came: Kind = "truth values" if isinstance(value, bool) else "texts" if isinstance(value, str) else "numbers"
    if came != kind:
        raise FilterError(f"expected {_A_VALUE[kind]}, because the attribute holds {kind}", position=literal.position)
    return value


def _is_whole(column: Column) -> bool:
    return column.kind == "numbers" and bool(np.issubdtype(column.values.dtype, np.integer))


def _whole(value: float, sign: str) -> float:
    """The bound that says of whole numbers what `value` says: never rounded, as a float64 of both would be."""
    if value.is_integer():
        return int(value)
    return value if sign == "=" else math.ceil(value) if sign in ("<", ">=") else math.floor(value)
