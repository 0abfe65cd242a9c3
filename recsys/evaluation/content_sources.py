"""What the `[[content]]` tables of a night made of the items."""

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from recsys.evaluation.number_format import count
from recsys.evaluation.provenance import Summary

_Counts = Annotated[dict[str, int], Field(exclude_if=lambda value: not value)]
_Examples = Annotated[dict[str, str], Field(exclude_if=lambda value: not value)]


class ContentSourceSummary(Summary):
    """One source. `columns`: what it read. `n_known`: items with a vector; `n_reused`: those of an earlier night.

    `problems`: items by what is wrong with them; `first`: by reason, the first such item and what is wrong with it.
    `from_histories`: whether evaluate and train make its vectors, each from the histories that it may see; the counts
    are zero then.
    """

    name: str
    encoder: str
    columns: tuple[str, ...] = ()
    n_items: int = 0
    n_known: int = 0
    dimension: int = 0
    n_reused: int = 0
    problems: _Counts = Field(default_factory=dict)
    first: _Examples = Field(default_factory=dict)
    from_histories: Annotated[bool, Field(exclude_if=lambda value: not value)] = False

    def sentence(self) -> str:
        """Known items, dimension, what is as it was, and what is wrong."""
        if self.from_histories:
            return f"{self.name} is learned from histories by evaluate and train"
        reused = f", {count(self.n_reused)} as before" if self.n_reused else ""
        wrong = "".join(f", {count(n)} {reason}" for reason, n in self.problems.items())
        known = f"{count(self.n_known)} of {count(self.n_items)} items"
        return f"{self.name} knows {known} ({self.dimension} dimensions{reused}{wrong})"

    def warnings(self) -> Iterator[str]:
        """Sentences about what is wrong with single items, and about a source that knows less than half of them."""
        for reason, n in self.problems.items():
            items = "item" if n == 1 else "items"
            yield f"content {self.name!r}: {count(n)} {items} with {reason}, the first: {self.first[reason]}"
        if not self.from_histories and 2 * self.n_known < self.n_items:
            yield (
                f"content {self.name!r} knows {count(self.n_known)} of {count(self.n_items)} items, less than half;"
                " to it the others are like nothing"
            )
