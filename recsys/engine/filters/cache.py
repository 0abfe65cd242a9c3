"""Filters of one version: each compiled once, and its items gathered once."""

from recsys.data.items import Items
from recsys.engine.filters.compilation import Mask, compile_filter
from recsys.engine.filters.parsing import parse_filter
from recsys.engine.filters.recent import Recent
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import Gather, OverFetching, selective
from recsys.retrieval.subset import SubsetSearch

_MASK_BYTES = 64 * 2**20
_VECTOR_BYTES = 128 * 2**20


class FilterCache:
    """The masks of the filters asked for last, in 64 MiB: 67 filters of a million items.

    Any number of threads may ask.
    """

    def __init__(self, items: Items) -> None:
        self._items = items
        self._masks: Recent[Mask] = Recent(_MASK_BYTES)

    def __len__(self) -> int:
        return len(self._masks)

    def __contains__(self, text: str) -> bool:
        return text in self._masks

    def mask(self, text: str) -> Mask:
        """The mask of the filter `text`: bool (n_items,), read-only. Raises FilterError."""
        return self._masks.get(text, lambda: compile_filter(parse_filter(text), self._items))


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
