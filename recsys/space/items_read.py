"""ItemsRead: the items that a space is read by."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa

from recsys.data.arrays import Floats, Indices
from recsys.data.items import Items
from recsys.retrieval.exact import normalised

MOST_ITEMS = 50_000
"""A larger catalogue is read by its items with the most users."""


_SHORT = 40


@dataclass(frozen=True)
class ShownItem:
    """An item as people read it: its id, and its title if it is known."""

    item_id: str
    title: str | None

    @property
    def text(self) -> str:
        """The title, or else the id."""
        return self.title or self.item_id

    @property
    def short(self) -> str:
        """The text, cut to 40 letters."""
        return self.text if len(self.text) <= _SHORT else f"{self.text[: _SHORT - 1].rstrip()}…"


@dataclass(frozen=True, eq=False)
class ItemsRead:
    """Some items of a catalogue, m of them, with their vectors.

    `items`: the whole catalogue. `rows`: int32 (m,), their positions in it, ascending. `vectors`: float32 (m, d), of
    length one. `degree`: float32 (m,), distinct users.
    """

    items: Items
    rows: Indices
    vectors: Floats
    degree: Floats

    @staticmethod
    def of(items: Items, vectors: Floats, degree: Floats, *, most: int = MOST_ITEMS) -> "ItemsRead":
        """The up to `most` items with the most users, of those whose vector is not zero.

        `vectors`: float32 (n_items, d). `degree`: float32 (n_items,).
        """
        known = np.flatnonzero(vectors.any(axis=1))
        rows = np.sort(known[np.argsort(-degree[known], kind="stable")[:most]]).astype(np.int32)
        return ItemsRead(items, rows, normalised(vectors[rows]), degree[rows])

    @cached_property
    def catalogue(self) -> Items:
        """Titles and attributes of these items alone, row i for position i here."""
        return Items(self.items.ids.take(self.rows), self.items.table.take(pa.array(self.rows)))

    def shown(self, positions: Indices) -> tuple[ShownItem, ...]:
        """The items at `positions`, int (k,), among these."""
        return tuple(
            ShownItem(self.items.ids.id_at(row), self.items.title(row)) for row in self.rows[positions].tolist()
        )
