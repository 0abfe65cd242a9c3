"""Recent filters of one version: each is compiled once, and the vectors of its items are gathered once."""

from collections import OrderedDict
from collections.abc import Callable, Mapping, Set
from functools import partial
from threading import Lock
from typing import Generic, Protocol, TypeVar

from recsys.data.arrays import Indices, read_only
from recsys.data.items import Items
from recsys.engine.filters.compilation import Mask, compile_filter
from recsys.engine.filters.parsing import parse_filter
from recsys.engine.filters.tree import Filter, names_in
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import Gather, OverFetching, SubsetSearch, selective

MASK_BYTES, VECTOR_BYTES = 64 * 2**20, 128 * 2**20
"""How much the masks, and the vectors, of recent filters take at most."""

_BYTES_PER_ENTRY = 1024  # beside the value: its key, the objects around its arrays


class Sized(Protocol):
    """Anything that knows how much memory it takes."""

    @property
    def nbytes(self) -> int:
        """Bytes."""


Value = TypeVar("Value", bound=Sized)


class LruCache(Generic[Value]):
    """Values by name, the most recently used that fit into `max_bytes` together. Threads may share it.

    A value is made outside the lock, so that no thread waits; two threads that ask for it at once both make it.
    """

    def __init__(self, max_bytes: int) -> None:
        self.nbytes = 0
        """How much the entries take now."""
        self._max_bytes = max_bytes
        self._values: OrderedDict[str, Value] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def get(self, name: str, make: Callable[[], Value]) -> Value:
        """The value called `name`; if there is none, `make` makes it. A value that does not fit is not kept."""
        with self._lock:
            if name in self._values:
                self._values.move_to_end(name)
                return self._values[name]
        value = make()
        with self._lock:
            if name not in self._values:
                self._keep(name, value)
        return value

    def recent(self) -> list[tuple[str, Value]]:
        """Names and values, the most recently used last."""
        with self._lock:
            return [*self._values.items()]

    def _keep(self, name: str, value: Value) -> None:
        self._values[name] = value
        self.nbytes += _size_of(name, value)
        while self.nbytes > self._max_bytes:
            self.nbytes -= _size_of(*self._values.popitem(last=False))


def _size_of(name: str, value: Sized) -> int:
    return value.nbytes + 4 * len(name) + _BYTES_PER_ENTRY


class FilterCache:
    """The masks of recent filters over `items`, in `max_bytes`: 64 MiB hold 67 filters of a million items.

    Threads may share it.
    """

    def __init__(self, items: Items, *, max_bytes: int = MASK_BYTES) -> None:
        self._items = items
        self._max_bytes = max_bytes
        self._masks: LruCache[Mask] = LruCache(max_bytes)

    def __len__(self) -> int:
        return len(self._masks)

    def __contains__(self, text: str) -> bool:
        return text in self._masks

    def mask(self, text: str) -> Mask:
        """The mask of the filter `text`: bool (n_items,), read-only. Raises FilterError."""
        return self._masks.get(text, lambda: compile_filter(parse_filter(text), self._items))

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


def _value(value: Value) -> Value:
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
