"""Recent filters of one version: each is compiled once, and the vectors of its items are gathered once."""

from collections.abc import Mapping, Set
from functools import partial
from typing import TypeVar

from recsys.data.arrays import Indices, read_only
from recsys.data.items import Items
from recsys.engine.filters.columns import Columns, Mask
from recsys.engine.filters.compilation import compile_filter
from recsys.engine.filters.lru import LruCache
from recsys.engine.filters.parsing import parse_filter
from recsys.engine.filters.tree import Filter, names_in
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import Gather, OverFetching, SubsetSearch, selective

MASK_BYTES, VECTOR_BYTES = 64 * 2**20, 128 * 2**20
"""How much the masks, and the vectors, of recent filters take at most."""

_Value = TypeVar("_Value")


class FilterCache:
    """The masks of recent filters over `items`, in `max_bytes`: 64 MiB hold 67 filters of a million items.

    Threads may share it.
    """

    def __init__(self, items: Items, *, max_bytes: int = MASK_BYTES) -> None:
        self._items = items
        self._max_bytes = max_bytes
        self._masks: LruCache[Mask] = LruCache(max_bytes)
        self._columns = Columns(items)

    def __len__(self) -> int:
        return len(self._masks)

    def __contains__(self, text: str) -> bool:
        return text in self._masks

    def mask(self, text: str) -> Mask:
        """The mask of the filter `text`: bool (n_items,), read-only. Raises FilterError."""
        return self._masks.get(text, lambda: compile_filter(parse_filter(text), self._items, columns=self._columns))

    def over(self, items: Items, positions: Indices, columns: Set[str]) -> tuple["FilterCache", dict[str, Mask]]:
        """The same filters over `items`, which differ at `positions`, int32 (m,), in `columns` alone.

        Only these items are looked at. Returns the masks that changed, too, by filter.
        """
        changed: dict[str, Mask] = {}
        cache, some = FilterCache(items, max_bytes=self._max_bytes), items.some(positions)
        for text, mask in self._masks.recent():
            new = _patched(mask, parse_filter(text), positions, some, columns)
            if new is not mask:
                changed[text] = new
            cache._masks.get(text, partial(_value, new))
        return cache, changed


def _patched(mask: Mask, tree: Filter, positions: Indices, some: Items, columns: Set[str]) -> Mask:
    """`mask` with what the filter says of the items `some` at `positions`; itself if it says what it said."""
    if names_in(tree).isdisjoint(columns):
        return mask
    passing = compile_filter(tree, some)
    if (mask[positions] == passing).all():
        return mask
    changed = mask.copy()
    changed[positions] = passing
    return read_only(changed)


def _value(value: _Value) -> _Value:
    return value


class SearchCache:
    """Searches of `index` among the items of recent filters, whose vectors are kept in `max_bytes`.

    Threads may share it. `gather`, `factors`: as `selective` takes them.
    """

    def __init__(self, index: ItemSearch, gather: Gather, *, factors: int, max_bytes: int = VECTOR_BYTES) -> None:
        self._index = index
        self._gather = gather
        self._factors = factors
        self._max_bytes = max_bytes
        self._searches: LruCache[SubsetSearch | OverFetching] = LruCache(max_bytes)

    def __len__(self) -> int:
        return len(self._searches)

    def for_filter(self, text: str, mask: Mask) -> ItemSearch:
        """A search among the items for which `mask`, the mask of the filter `text`, is true."""
        return self._searches.get(text, lambda: selective(self._index, self._gather, mask, factors=self._factors))

    def over(self, masks: FilterCache, changed: Mapping[str, Mask]) -> "SearchCache":
        """The same searches after the masks in `changed` have; those of filters that `masks` lacks are dropped."""
        cache = SearchCache(self._index, self._gather, factors=self._factors, max_bytes=self._max_bytes)
        for text, search in self._searches.recent():
            if text in changed:
                cache.for_filter(text, changed[text])
            elif text in masks:
                cache._searches.get(text, partial(_value, search))
        return cache
