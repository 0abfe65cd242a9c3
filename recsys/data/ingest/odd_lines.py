"""Lines that are no rows, or hardly: blank ones are left out before parsing, and one that is too long is refused."""

from collections.abc import Iterable
from dataclasses import replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.ingest.input_files import InputFile
from recsys.data.ingest.record_blocks import CR, LF, Bytes, TextBlock
from recsys.data.ingest.refusals import Reason, marked
from recsys.data.ingest.source import LONGEST_TEXT, LineCounts, RawBatch


def without_empty_lines(block: TextBlock, parts: NDArray[np.int64]) -> tuple[Bytes, NDArray[np.int64]]:
    """The lines that are not empty, and their numbers: int64 (n,). A carriage return before the line feed is its.

    `parts`: the first and the last byte of quoted parts, alternately; lines within them are kept.
    """
    data, feeds = block.data, block.data == LF
    starts = np.concatenate([[True], feeds[:-1]])
    returns = starts & (data == CR)
    after_return = np.concatenate([[False], returns[:-1]])
    empty = feeds & (starts | after_return)
    if len(parts):
        inside = np.zeros(len(data), np.int8)
        inside[parts[0::2]], inside[parts[1::2]] = 1, -1
        empty &= np.cumsum(inside, dtype=np.int8) == 0
    dropped = empty.copy()
    dropped[:-1] |= returns[:-1] & empty[1:]
    filled = np.flatnonzero(feeds & ~empty)
    return data[~dropped], np.cumsum(feeds, dtype=np.int32)[filled] - 1 + np.int64(block.first_line)


def without_blank_lines(block: TextBlock) -> tuple[Bytes, NDArray[np.int64]]:
    """The lines that hold more than white space, and their numbers: int64 (n,)."""
    feeds = np.flatnonzero(block.data == LF)
    starts = np.concatenate([[0], feeds[:-1] + 1])
    filled = np.logical_or.reduceat(~_WHITE[block.data], starts)
    return _kept(block, feeds - starts, filled)


def _kept(block: TextBlock, lengths: NDArray[np.int64], filled: NDArray[np.bool_]) -> tuple[Bytes, NDArray[np.int64]]:
    data = block.data if filled.all() else block.data[np.repeat(filled, lengths + 1)]
    return data, np.flatnonzero(filled) + block.first_line


_WHITE = np.zeros(256, np.bool_)
_WHITE[list(b" \t\n\r\x0b\f")] = True


def no_rows(path: InputFile, keys: Iterable[str], *, n_blank: int) -> RawBatch:
    """The batch of a block of blank lines. `keys`: of the columns."""
    columns = {key: pa.array([], pa.binary()) for key in keys}
    return replace(RawBatch.of(str(path), columns, np.empty(0, np.int64)), lines=LineCounts(blank=n_blank))


def overlong_row(block: TextBlock, path: InputFile, keys: Iterable[str]) -> RawBatch:
    """The one refused row of a block that is a line too long to be read. `keys`: of the columns."""
    text = block.data.tobytes()[:LONGEST_TEXT].decode("utf-8", "replace")
    return RawBatch.of(
        str(path),
        {key: pa.nulls(1, pa.binary()) for key in keys},
        np.array([block.first_line], np.int64),
        faults=marked((np.ones(1, np.bool_), Reason.LINE_TOO_LONG)),
        texts={0: text},
    )
