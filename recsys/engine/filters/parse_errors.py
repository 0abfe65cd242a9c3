"""lark's complaints in words of the language."""

from collections.abc import Iterable

from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from recsys.errors import FilterError

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
"""What the grammar's terminals are called, in the order they are named; QUOTED_NAME is an attribute, too."""


def explained(error: UnexpectedInput, text: str) -> FilterError:
    """Where the parser stopped in `text`, and what it would have taken there."""
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
