"""Growing: a column that is filled block by block, in place."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GROWTH = 1.25


class Growing:
    """One array that grows as blocks are appended, instead of many that are copied into one at the end.

    Growing moves no data where the system can extend a large allocation in place, as Linux does.
    """

    def __init__(self, dtype: Any) -> None:
        self._array: NDArray[Any] = np.empty(0, dtype)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def append(self, block: NDArray[Any]) -> None:
        """Add a block at the end, converted to the column's dtype."""
        end = self._size + len(block)
        if end > len(self._array):
            self._array.resize(max(end, int(len(self._array) * _GROWTH)), refcheck=False)
        self._array[self._size : end] = block
        self._size = end

    def finish(self) -> NDArray[Any]:
        """The column; it is given away, and this one is empty again."""
        self._array.resize(self._size, refcheck=False)
        finished, self._array, self._size = self._array, np.empty(0, self._array.dtype), 0
        return finished
