"""Plain and compressed text files as blocks of whole records."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.errors import DataError

LF, CR = ord("\n"), ord("\r")
BLOCK_BYTES = 16 << 20
LONGEST_RECORD = 64 << 20
_PIECE = 1 << 18
_UTF8_MARK = b"\xef\xbb\xbf"
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

Bytes = NDArray[np.uint8]
"""Text as bytes, uint8 (n,)."""

Advance = Callable[[float], None]
"""Called with the number of bytes of the file on disk that have been read."""

EndOfRecords = Callable[[Bytes], int]
"""The length of the longest prefix of a text that holds whole records only."""

_NOTHING = np.empty(0, np.uint8)


@dataclass(frozen=True, eq=False)
class TextBlock:
    """Whole records: `data` ends with a line end; `first_line` is its first line's number, counted from 1."""

    data: Bytes
    first_line: int

    @cached_property
    def n_lines(self) -> int:
        """Line feeds in `data`."""
        return sum(int(np.count_nonzero(piece == LF)) for piece in _pieces(self.data))


def holds(text: Bytes, byte: int) -> bool:
    """Whether a byte occurs in a text."""
    return any((piece == byte).any() for piece in _pieces(text))


def _pieces(text: Bytes) -> Iterator[Bytes]:
    """The text in pieces that fit the processor's cache."""
    return (text[start : start + _PIECE] for start in range(0, len(text), _PIECE))


def last_feed(text: Bytes, end: int) -> int:
    """The position of the last line feed before `end`, -1 if there is none."""
    while end > 0:
        start = max(0, end - _PIECE)
        feeds = np.flatnonzero(text[start:end] == LF)
        if len(feeds):
            return start + int(feeds[-1])
        end = start
    return -1


def text_blocks(
    path: Path,
    end_of_records: EndOfRecords,
    *,
    advance: Advance,
    block_bytes: int = BLOCK_BYTES,
    longest_record: int = LONGEST_RECORD,
) -> Iterator[TextBlock]:
    """Cut a plain or compressed file into blocks of about `block_bytes`.

    Raises DataError for a damaged file, one that is not UTF-8, and a record longer than `longest_record` bytes.
    """
    rest, line = _NOTHING, 1
    with open_bytes(path) as (stream, file):
        while len(data := _read_more(stream, rest, block_bytes)) > len(rest):
            data = _without_mark(data, path) if line == 1 else data
            end = end_of_records(data)
            if end:
                block = TextBlock(data[:end], line)
                yield block
                line += block.n_lines
            rest = data[end:].copy()
            if len(rest) > longest_record:
                raise _endless(path, line)
            advance(file.tell())
    if len(rest):
        yield _last_block(rest, line, path=path, end_of_records=end_of_records)


def _read_more(stream: pa.NativeFile, rest: Bytes, block_bytes: int) -> Bytes:
    """The rest of the last block and the next bytes of the file, in a new array."""
    room = np.empty(len(rest) + block_bytes, np.uint8)
    room[: len(rest)] = rest
    return room[: len(rest) + stream.readinto(room[len(rest) :])]


def _without_mark(start: Bytes, path: Path) -> Bytes:
    mark = start[: len(_UTF8_MARK)].tobytes()
    if mark.startswith(_UTF16_MARKS):
        raise DataError(f"{path}: starts as UTF-16 does; expected UTF-8")
    return start[len(_UTF8_MARK) :] if mark == _UTF8_MARK else start


def _last_block(rest: Bytes, line: int, *, path: Path, end_of_records: EndOfRecords) -> TextBlock:
    data = rest if rest[-1] == LF else np.append(rest, np.uint8(LF))
    end = end_of_records(data)
    if end != len(data):
        raise _endless(path, line + TextBlock(data[:end], line).n_lines)
    return TextBlock(data, line)


def _endless(path: Path, line: int) -> DataError:
    return DataError(f"{path}:{line}: the row that starts here never ends; is a quote opened and not closed?")


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[pa.NativeFile, pa.NativeFile]]:
    """Open a plain, gzip or zstd file: the stream of its decompressed bytes, and the file below (for its position).

    Raises DataError if it cannot be read, is damaged or is cut short, also while the stream is read.
    """
    try:
        with pa.OSFile(str(path), "rb") as file:
            compression = _compression(path)
            yield (pa.CompressedInputStream(file, compression) if compression else file), file
    except OSError as error:
        raise DataError(f"{path}: cannot be read, or is damaged or cut short: {error}") from error


def _compression(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(4)
    actual = next((name for name, magic in _MAGIC.items() if start.startswith(magic)), None)
    named = COMPRESSIONS.get(path.suffix.lower())
    if named and actual != named:
        raise DataError(f"{path}: is named {path.suffix} but does not start as {named} does")
    return actual
