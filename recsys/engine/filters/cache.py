"""Filters of one version, each compiled once."""

from collections import OrderedDict
from threading import Lock

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import read_only
from recsys.data.items import Items
from recsys.engine.filters.compilation import Mask, compile_filter
from recsys.engine.filters.parsing import parse_filter

_MAX_FILTERS = 1024
_MAX_BYTES = 32 * 2**20


class FilterCache:
    """The masks of the filters asked for last, a bit an item; any number of threads may ask.

    Holds at most 1024 of them, fewer where those would pass 32 MiB: 268 for a million items.
    """

    def __init__(self, items: Items) -> None:
        self._items = items
        self._most = max(1, min(_MAX_FILTERS, _MAX_BYTES // (len(items.ids) // 8 + 1)))
        self._packed: OrderedDict[str, NDArray[np.uint8]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._packed)

    def mask(self, text: str) -> Mask:
        """The mask of the filter `text`: bool (n_items,), read-only. Raises FilterError."""
        with self._lock:
            packed = self._packed.get(text)
            if packed is not None:
                self._packed.move_to_end(text)
        if packed is None:
            packed = self._keep(text, np.packbits(compile_filter(parse_filter(text), self._items)))
        return read_only(np.unpackbits(packed, count=len(self._items.ids)).view(np.bool_))

    def _keep(self, text: str, packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
        with self._lock:
            self._packed[text] = packed
            while len(self._packed) > self._most:
                self._packed.popitem(last=False)
        return packed
