"""Shared attributes: the columns in which two items say something in common."""

import re
from collections.abc import Sequence

from recsys.data.items import Items

# Shorter words are mostly "the" and "of".
_WORD = re.compile(r"\w{4,}")


def shared_columns(items: Items, one: int, other: int, columns: Sequence[str]) -> list[str]:
    """Those of `columns` in which the items at `one` and `other` have the same value, a common member, or a word.

    A column that `items` do not have cannot be looked at, and stays.
    """
    return [name for name in columns if name not in items.table.column_names or _share(items, one, other, name)]


def _share(items: Items, one: int, other: int, column: str) -> bool:
    values = items.table.column(column)
    mine, theirs = values[one].as_py(), values[other].as_py()
    if mine is None or theirs is None:
        return False
    if isinstance(mine, list):
        return not set(mine).isdisjoint(theirs)
    if isinstance(mine, str):
        return mine == theirs or not _words(mine).isdisjoint(_words(theirs))
    return bool(mine == theirs)


def _words(text: str) -> set[str]:
    return set(_WORD.findall(text.casefold()))
