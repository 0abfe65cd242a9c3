"""Arrow files: one table per file, memory-mapped on reading, with strings decoded one at a time."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any, overload

import numpy as np
import pyarrow as pa

from recsys.data.loading import damage_named
from recsys.plain_files import map_plain

# Arrow leaves out the buffers of an empty column.
_NO_OFFSETS, _NO_DATA = np.zeros(1, np.int32), memoryview(b"")


def write_arrow(table: pa.Table, path: Path) -> None:
    """Write `table` as an Arrow IPC file."""
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)


def one_array(chunked: pa.ChunkedArray) -> pa.Array:
    """The column of a table as one pyarrow Array, copied only if it has several chunks."""
    return chunked.chunk(0) if chunked.num_chunks == 1 else chunked.combine_chunks()


def map_arrow(path: Path) -> pa.Table:
    """The table of an Arrow IPC file; its columns are mapped, not copied, and valid in full.

    Every offset lies within the data, every text is UTF-8: what is read later cannot lie outside the file.
    Raises ArtifactError if it is missing or damaged.
    """
    with damage_named(path, "an Arrow file"):
        return parse_arrow(map_plain(path))


def parse_arrow(data: bytes | memoryview) -> pa.Table:
    """The table of an Arrow IPC file in memory, valid in full. Raises ArrowException, or anything else if damaged."""
    table = pa.ipc.open_file(pa.BufferReader(data)).read_all()
    table.validate(full=True)
    if table.get_total_buffer_size() > len(data):  # compressed, or several columns over the same bytes
        raise ValueError(f"{table.get_total_buffer_size():,} bytes in a file of {len(data):,}")
    return table


class TextColumn(Sequence[Any]):
    """A pyarrow StringArray as a sequence of strings, None for null, without one pyarrow object per string.

    Nothing is copied, so a column of millions is ready as soon as it is mapped.
    """

    def __init__(self, column: pa.StringArray) -> None:
        valid, offsets, data = column.buffers()
        bounds = np.frombuffer(offsets, np.int32)[column.offset :] if len(column) else _NO_OFFSETS
        # Indexing a memoryview gives a plain int, which halves the time of a look-up.
        self._offsets = bounds[: len(column) + 1].data
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
        if position < 0:
            position += len(self)
            if position < 0:
                raise IndexError(f"position {position - len(self)} of {len(self)} strings")
        start, stop = self._offsets[position], self._offsets[position + 1]
        if self._valid is not None:
            byte, bit = divmod(self._first_bit + position, 8)
            if not self._valid[byte] >> bit & 1:
                return None
        return str(self._data[start:stop], "utf-8")
