"""Stopping: work on many questions looks up between two of them whether anybody still waits."""

from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias, TypeVar

Check: TypeAlias = Callable[[], None]
"""Called between two pieces of work of a few milliseconds; raises an error to end it."""

_Item = TypeVar("_Item")


def go_on() -> None:
    """The check that never stops anything."""


def in_chunks(items: Sequence[_Item], size: int) -> Iterator[Sequence[_Item]]:
    """`items`, up to `size` at a time."""
    return (items[start : start + size] for start in range(0, len(items), size))
