"""Text to tree. The parser keeps a stack of its own, so no text can make it recurse."""

import re
from functools import cache
from pathlib import Path

from lark import Lark, UnexpectedInput

from recsys.engine.filters.parse_errors import explained
from recsys.engine.filters.tree import And, Filter, Not, Or
from recsys.engine.filters.tree_builder import TreeBuilder
from recsys.errors import FilterError

MAX_TEXT = 4096
"""The longest filter, in characters."""

MAX_DEPTH = 16
"""How deep `and`, `or` and `not` may be nested."""

MAX_CONDITIONS = 32
"""The most conditions of one filter: each of them looks at every item."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def parse_filter(text: str) -> Filter:
    """The tree of `text`. Raises FilterError where it is no filter, too long or nested too deep."""
    if len(text) > MAX_TEXT:
        raise FilterError(f"expected at most {MAX_TEXT} characters, found {len(text)}")
    if (surrogate := _SURROGATE.search(text)) is not None:
        raise FilterError("expected a character that UTF-8 can encode", position=surrogate.start())
    try:
        tree: object = filter_parser().parse(text)
    except UnexpectedInput as error:
        raise explained(error, text) from None
    assert isinstance(tree, Filter)
    _check_bounds(tree)
    return tree


@cache
def filter_parser() -> Lark:
    """The parser, made from its grammar when it is first asked for, which takes longer than many questions."""
    grammar = Path(__file__).with_name("filter.lark").read_text("utf-8")
    return Lark(grammar, parser="lalr", transformer=TreeBuilder(), maybe_placeholders=True)


def _check_bounds(tree: Filter) -> None:
    """Level by level, not recursively: this is what bounds the recursion of whoever walks the tree."""
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
