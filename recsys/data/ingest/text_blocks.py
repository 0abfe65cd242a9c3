"""Text files as blocks of whole records, read ahead of whoever parses them."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from recsys.data.ingest.log_files import open_bytes
from recsys.errors import DataError

BLOCK_BYTES = 16 << 20
_LONGEST_RECORD = 64 << 20
_UTF8_MARK = b"\xef\xbb\xbf"
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

Advance = Callable[[float], None]
"""Told how many bytes of the file on disk have been read."""


@dataclass(frozen=True)
class TextBlock:
    """Whole records: `data` ends with a line end; `first_line` is its first line's number, counted from 1."""

    data: bytes
    first_line: int

    @cached_property
    def n_lines(self) -> int:
        """Line feeds in `data`."""
        return int(np.count_nonzero(np.frombuffer(self.data, np.uint8) == ord("\n")))


def text_blocks(path: Path, end_of_records: Callable[[bytes], int], *, advance: Advance) -> Iterator[TextBlock]:
    """Cut a plain or compressed file into blocks of about BLOCK_BYTES.

    `end_of_records(data)` is the length of the longest part of `data` that holds whole records only.
    Raises DataError for a damaged file, one that is not UTF-8 at all, and a record that never ends.
    """
    rest, line = b"", 1
    with open_bytes(path) as (stream, file):
        while chunk := stream.read(BLOCK_BYTES):
            data = _without_mark(rest + chunk, path) if line == 1 else rest + chunk
            end = end_of_records(data)
            if end:
                block = TextBlock(data[:end], line)
                yield block
                line += block.n_lines
            rest = data[end:]
            if len(rest) > _LONGEST_RECORD:
                raise _endless(path, line)
            advance(file.tell())
    if rest:
        yield _last_block(rest, line, path=path, end_of_records=end_of_records)


def _without_mark(start: bytes, path: Path) -> bytes:
    if start.startswith(_UTF16_MARKS):
        raise DataError(f"{path}: starts as UTF-16 does; expected UTF-8")
    return start.removeprefix(_UTF8_MARK)


def _last_block(rest: bytes, line: int, *, path: Path, end_of_records: Callable[[bytes], int]) -> TextBlock:
    data = rest if rest.endswith(b"\n") else rest + b"\n"
    end = end_of_records(data)
    if end != len(data):
        raise _endless(path, line + data.count(b"\n", 0, end))
    return TextBlock(data, line)


def _endless(path: Path, line: int) -> DataError:
    return DataError(f"{path}:{line}: the row that starts here never ends; is a quote opened and not closed?")
