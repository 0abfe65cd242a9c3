"""Filters of one version: each compiled once, and its items gathered once."""

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import read_only
from recsys.data.items import Items
from recsys.engine.filters.compilation import Mask, compile_filter
from recsys.engine.filters.parsing import parse_filter
from recsys.engine.filters.recent import Recent
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import Gather, OverFetching, selective
from recsys.retrieval.subset import SubsetSearch

_MASK_BYTES = 32 * 2**20
_VECTOR_BYTES = 128 * 2**20


class FilterCache:
    """The masks of the filters asked for last, a bit an item, in 32 MiB: 260 filters of a million items.

    Any number of threads may ask.
    """

    def __init__(self, items: Items) -> None:
        self._items = items
        self._packed: Recent[NDArray[np.uint8]] = Recent(_MASK_BYTES)

    def __len__(self) -> int:
        return len(self._packed)

    def mask(self, text: str) -> Mask:
        """The mask of the filter `text`: bool (n_items,), read-only. Raises FilterError."""
        packed = self._packed.get(text, lambda: np.packbits(compile_filter(parse_filter(text), self._items)))
        return read_only(np.unpackbits(packed, count=len(self._items.ids)).view(np.bool_))


class SearchCache:
    """`index` among the items of the filters asked for last, whose vectors are kept, in 128 MiB.

    Any number of threads may ask. `gather`, `factors`: as `selective` takes them.
    """

    def __init__(self, index: ItemSearch, gather: Gather, *, factors: int) -> None:
        self._index = index
        self._gather = gather
        self._factors = factors
        self._searches: Recent[SubsetSearch | OverFetching] = Recent(_VECTOR_BYTES)

    def __len__(self) -> int:
        return len(self._searches)

    def among(self, text: str, mask: Mask) -> ItemSearch:
        """A search among the items where `mask`, that of the filter `text`, is true."""
        return self._searches.get(text, lambda: selective(self._index, self._gather, mask, factors=self._factors))
