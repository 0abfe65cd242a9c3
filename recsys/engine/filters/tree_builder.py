"""What each rule of the grammar becomes."""

import math
import re

from lark import Token, Transformer, v_args

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

MAX_VALUES = 500
"""The most values of one `in (...)`."""

_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WHOLE_NUMBERS = range(-(2**63), 2**63)


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Filter]):
    """One method a rule of `filter.lark`, called as soon as the rule is complete. Raises FilterError."""

    def attribute(self, name: Token) -> Attribute:
        """`price`."""
        return Attribute(str(name), _start(name))

    def quoted_attribute(self, name: Token) -> Attribute:
        """`` `Customer Price` ``, where two backticks are one."""
        return Attribute(name[1:-1].replace("``", "`"), _start(name))

    def text(self, quoted: Token) -> Literal:
        """`"Mugs"` or `'Mugs'`."""
        for escape in _ESCAPE.finditer(quoted):
            if escape[1] not in "\\\"'":
                at = _start(quoted) + escape.start()
                raise FilterError(r"""expected `\\`, `\"` or `\'` where a backslash stands in a text""", position=at)
        return Literal(_ESCAPE.sub(r"\1", quoted[1:-1]), _start(quoted))

    def number(self, digits: Token) -> Literal:
        """`5`, a whole number of 64 bits, or `-0.5e3`, a finite float."""
        value = int(digits) if digits.removeprefix("-").isdecimal() else float(digits)
        if value not in _WHOLE_NUMBERS if isinstance(value, int) else math.isinf(value):
            raise FilterError("expected a number that 64 bits can hold", position=_start(digits))
        return Literal(value, _start(digits))

    def true(self, word: Token) -> Literal:
        """`true`."""
        return Literal(True, _start(word))

    def false(self, word: Token) -> Literal:
        """`false`."""
        return Literal(False, _start(word))

    def equal(self, attribute: Attribute, _: Token, value: Literal) -> Filter:
        """`a = b`."""
        return Comparison(attribute, "=", value)

    def unequal(self, attribute: Attribute, _: Token, value: Literal) -> Filter:
        """`a != b`."""
        return Not(Comparison(attribute, "=", value))

    def ordered(self, attribute: Attribute, operator: Token, value: Literal) -> Filter:
        """`a < b` and its like."""
        return Comparison(attribute, str(operator), value)

    def membership(self, attribute: Attribute, negated: Token | None, *values: Literal) -> Filter:
        """`a in (b, c)`."""
        if len(values) > MAX_VALUES:
            raise FilterError(
                f"expected at most {MAX_VALUES} values, found {len(values)}", position=attribute.position
            )
        return _unless(negated, Membership(attribute, values))

    def between(self, attribute: Attribute, negated: Token | None, low: Literal, high: Literal) -> Filter:
        """`a between b and c`, both included."""
        return _unless(negated, And((Comparison(attribute, ">=", low), Comparison(attribute, "<=", high))))

    def contains(self, attribute: Attribute, negated: Token | None, text: Literal) -> Filter:
        """`a contains "b"`."""
        return _unless(negated, Contains(attribute, text))

    def missing(self, attribute: Attribute, negated: Token | None) -> Filter:
        """`a is missing`."""
        return _unless(negated, Missing(attribute))

    def negation(self, _: Token, part: Filter) -> Filter:
        """`not a`."""
        return Not(part)

    def all_of(self, *parts: Filter) -> Filter:
        """`a and b and c`."""
        return And(parts)

    def any_of(self, *parts: Filter) -> Filter:
        """`a or b or c`."""
        return Or(parts)


def _unless(negated: Token | None, condition: Filter) -> Filter:
    return condition if negated is None else Not(condition)


def _start(token: Token) -> int:
    return token.start_pos or 0
