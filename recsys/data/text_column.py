"""Strings of a mapped file, decoded as they are asked for."""

from collections.abc import Sequence
from typing import Any, overload

import numpy as np

# Arrow leaves out the buffers of an empty column.
_NO_OFFSETS, _NO_DATA = np.zeros(1, np.int32), memoryview(b"")


class TextColumn(Sequence[Any]):
    """A pyarrow StringArray as a sequence of strings, None where null, without an object of pyarrow's for each.

    Nothing is copied, so that a column of millions is ready as soon as it is mapped.
    """

    def __init__(self, column: Any) -> None:
        valid, offsets, data = column.buffers()
        some = np.frombuffer(offsets, np.int32)[column.offset :] if len(column) else _NO_OFFSETS
        # Through a memoryview an offset is a plain int at once: half the time of a look-up, which reads two.
        self._offsets = some[: len(column) + 1].data
        self._data = _NO_DATA if data is None else memoryview(data)
        self._valid = memoryview(valid) if column.null_count else None
        self._first_bit = column.offset

    def __len__(self) -> int:
        return len(self._offsets) - 1

    @overload
    def __getitem__(self, position: int) -> Any: ...
    @overload
    def __getitem__(self, position: slice) -> list[Any]: ...
    def __getitem__(self, position: int | slice) -> Any:
        if isinstance(position, slice):
            return [self[at] for at in range(*position.indices(len(self)))]
        start, stop = self._offsets[position], self._offsets[position + 1]
        if self._valid is not None:
            byte, bit = divmod(self._first_bit + position, 8)
            if not self._valid[byte] >> bit & 1:
                return None
        return str(self._data[start:stop], "utf-8")
