"""New items: items without users in training that have a vector all the same, made from what is known of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from recsys.artifacts.contents import Contents
from recsys.data.arrays import Indices, read_only
from recsys.engine.answers import Ranked


@dataclass(frozen=True, eq=False)
class NewItems:
    """The new items of one version. `positions`: int32 (m,), ascending. `mask`: bool (n_items,)."""

    positions: Indices
    mask: NDArray[np.bool_]

    @staticmethod
    def of(contents: Contents) -> "NewItems":
        """The items of degree zero whose vector is not zero; only vectors of items without users are read."""
        untouched = np.flatnonzero(contents.model.item_degree == 0)
        has_vector = np.asarray(contents.model.embeddings.items[untouched]).any(axis=1)
        positions = untouched[has_vector].astype(np.int32)
        mask = np.zeros(len(contents.items.ids), np.bool_)
        mask[positions] = True
        return NewItems(read_only(positions), read_only(mask))

    def __len__(self) -> int:
        return len(self.positions)

    def marks(self, indices: Indices) -> list[Literal[True] | None] | None:
        """`Ranked.new` of each of the items at `indices`, int32 (n,); None if this version has no new items."""
        return [is_new or None for is_new in self.mask[indices].tolist()] if len(self) else None


def n_new(listed: Sequence[Ranked]) -> int:
    """How many items of a list are new."""
    return sum(item.new is not None for item in listed)
