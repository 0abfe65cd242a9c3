"""Recall: how much of the lists that exact search finds is on the lists that an approximate index gave."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeAlias

from recsys.engine import Answer

Of: TypeAlias = Literal["recommendations", "similar"]
"""What a list is of: items for somebody, or items like others."""


class Recall:
    """The running recall of one version's lists of one kind. One thread at a time may add, any may read."""

    def __init__(self, *, is_exact: bool) -> None:
        self.is_exact = is_exact
        """Whether every item is compared anyhow, so that there is nothing to check."""
        self._counts = (0, 0)

    def add(self, *, found: int, wanted: int) -> None:
        """A list was checked: of `wanted` items it had `found`."""
        self._counts = (self._counts[0] + found, self._counts[1] + wanted)

    @property
    def share(self) -> float | None:
        """Of all items that were wanted, the share that was found; None where none was."""
        found, wanted = self._counts
        if self.is_exact:
            return 1.0
        return found / wanted if wanted else None


@dataclass(frozen=True, eq=False)
class Given:
    """A list that came from the model of a version whose index approximates, however few items it was chosen from.

    `again`: finds it once more, comparing every item. `recall`: that of the version that gave it.
    """

    of: Of
    answer: Answer
    again: Callable[[], Answer]
    recall: Recall

    def check(self) -> tuple[int, int]:
        """How many items of the exact list it has, and how many there are; `recall` counts them, too."""
        wanted = {item.item_id for item in self.again().items}
        found = wanted.intersection(item.item_id for item in self.answer.items)
        self.recall.add(found=len(found), wanted=len(wanted))
        return len(found), len(wanted)
