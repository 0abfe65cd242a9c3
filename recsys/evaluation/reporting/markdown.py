"""Markdown as text: what a table, a list and a piece of foreign text look like."""

import re
from collections.abc import Iterable, Sequence


def escaped(text: str) -> str:
    """Foreign text (a title, an id) that shows as it is, on one line, whatever it holds."""
    return re.sub(r"([\\`*_\[\]<>|~#&])", r"\\\1", " ".join(text.split()))


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table: the first column to the left, the others to the right."""
    rule = [":--", *["--:"] * (len(header) - 1)]
    return [*("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows)), ""]


def prose_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> list[str]:
    """Lines of a table of text, every column to the left."""
    return [*("| " + " | ".join(cells) + " |" for cells in (header, ["---"] * len(header), *rows)), ""]


def bullets(items: Iterable[str]) -> list[str]:
    """Lines of a list."""
    return [*(f"* {item}" for item in items), ""]
