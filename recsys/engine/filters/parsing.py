"""Text to tree: the parser, what each rule of the grammar becomes, and errors in the words of the language.

The parser keeps a stack of its own, so no text can make it recurse.
"""

import math
import re
from collections.abc import Iterable
from functools import cache
from pathlib import Path

from lark import Lark, Token, Transformer, UnexpectedCharacters, UnexpectedInput, UnexpectedToken, v_args

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

MAX_TEXT = 4096
"""The longest filter, in characters."""

MAX_DEPTH = 16
"""How deep `and`, `or` and `not` may be nested."""

MAX_CONDITIONS = 32
"""The most conditions of one filter: each of them looks at every item."""

MAX_VALUES = 500
"""The most values of one `in (...)`."""

_SURROGATE = re.compile("[\ud800-\udfff]")
_ESCAPE = re.compile(r"\\(.)", re.DOTALL)
_WHOLE_NUMBERS = range(-(2**63), 2**63)

_WORDS = {
    "NAME": "an attribute",
    "TEXT": "a text in quotes",
    "NUMBER": "a number",
    "TRUE": "`true`",
    "FALSE": "`false`",
    "EQUAL": "`=`",
    "UNEQUAL": "`!=`",
    "ORDER": "`<`, `<=`, `>`, `>=`",
    "_IN": "`in`",
    "_BETWEEN": "`between`",
    "_CONTAINS": "`contains`",
    "_IS": "`is`",
    "_MISSING": "`missing`",
    "NOT": "`not`",
    "_AND": "`and`",
    "_OR": "`or`",
    "COMMA": "a comma",
    "LPAR": "`(`",
    "RPAR": "`)`",
    "$END": "the end",
}
"""Names of the grammar's terminals for error messages, in their order there; QUOTED_NAME is an attribute, too."""


def parse_filter(text: str) -> Filter:
    """The tree of `text`. Raises FilterError if it is not a filter, too long or nested too deep."""
    if len(text) > MAX_TEXT:
        raise FilterError(f"expected at most {MAX_TEXT} characters, found {len(text)}")
    if (surrogate := _SURROGATE.search(text)) is not None:
        raise FilterError("expected a character that UTF-8 can encode", position=surrogate.start())
    try:
        tree: object = filter_parser().parse(text)
    except UnexpectedInput as error:
        raise _explained(error, text) from None
    assert isinstance(tree, Filter)
    _check_bounds(tree)
    return tree


@cache
def filter_parser() -> Lark:
    """The parser, built from its grammar on first use, which takes longer than many questions."""
    grammar = Path(__file__).with_name("filter.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", transformer=TreeBuilder(), maybe_placeholders=True)


def _check_bounds(tree: Filter) -> None:
    """Level by level, not recursively: this bounds the recursion of the functions that walk the tree."""
    level, depth, n_conditions = [tree], -1, 0
    while level:
        depth += 1
        n_conditions += sum(not isinstance(node, And | Or | Not) for node in level)
        level = [part for node in level for part in _parts(node)]
    if depth > MAX_DEPTH:
        raise FilterError(f"expected at most {MAX_DEPTH} levels of and, or, not, found {depth}")
    if n_conditions > MAX_CONDITIONS:
        raise FilterError(f"expected at most {MAX_CONDITIONS} conditions, found {n_conditions}")


def _parts(node: Filter) -> tuple[Filter, ...]:
    if isinstance(node, And | Or):
        return node.parts
    return (node.part,) if isinstance(node, Not) else ()


@v_args(inline=True)
class TreeBuilder(Transformer[Token, Filter]):
    """One method per rule of `filter.lark`, called as soon as the rule is complete. Raises FilterError."""

    def attribute(self, name: Token) -> Attribute:
        """`price`."""
        return Attribute(str(name), _start(name))

    def quoted_attribute(self, name: Token) -> Attribute:
        """`` `Customer Price` ``; two backticks stand for one."""
        return Attribute(name[1:-1].replace("``", "`"), _start(name))

    def text(self, quoted: Token) -> Literal:
        """`"Mugs"` or `'Mugs'`."""
        for escape in _ESCAPE.finditer(quoted):
            if escape[1] not in "\\\"'":
                at = _start(quoted) + escape.start()
                raise FilterError(
                    r"""expected `\\`, `\"` or `\'`, because a backslash begins an escape""", position=at
                )
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
        """`a < b`, and the same for the other operators."""
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


def _explained(error: UnexpectedInput, text: str) -> FilterError:
    """Where the parser stopped in `text`, and what it would have accepted there."""
    if isinstance(error, UnexpectedToken):
        at = len(text.rstrip()) if error.token.type == "$END" else error.token.start_pos
        return FilterError(_expected(error.accepts or error.expected), position=at)
    at = error.pos_in_stream or 0
    if text[at] in "\"'`":
        return FilterError("expected a closing quote for the one here", position=at)
    return FilterError(_expected(error.allowed if isinstance(error, UnexpectedCharacters) else ()), position=at)


def _expected(terminals: Iterable[str] | None) -> str:
    names = set(terminals or ())
    *words, last = [word for name, word in _WORDS.items() if name in names] or ["something else"]
    return f"expected {', '.join(words)} or {last}" if words else f"expected {last}"
