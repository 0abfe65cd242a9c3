"""Plain and compressed text files as blocks of whole records."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.ingest.recoding import Recode, byte_order, recoding
from recsys.errors import DataError

logger = logging.getLogger(__name__)

LF, CR = ord("\n"), ord("\r")
BLOCK_BYTES = 16 << 20
LONGEST_RECORD = 64 << 20
_PIECE = 1 << 18
_UTF8_MARK = b"\xef\xbb\xbf"
_MARKS = re.compile(rb"(?:\xef\xbb\xbf)+")
_MARK_WITHIN = re.compile(rb"([\r\n])(?:\xef\xbb\xbf)+")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

# Every other byte of UTF-16 is mostly zero; this many pairs of bytes are enough to tell.
_FEWEST_PAIRS = 8
_LOOKED_AT = 1024

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
    encoding: str = "utf-8",
    recode: Recode | None = None,
    section: str = "log",
    block_bytes: int = BLOCK_BYTES,
    first_bytes: int | None = None,
    longest_record: int = LONGEST_RECORD,
) -> Iterator[TextBlock]:
    """Cut a plain or compressed file into blocks of about `block_bytes`; the first is of about `first_bytes`.

    `recode`: makes UTF-8 of the file's `encoding`. Byte-order marks are left out, also at the start of a later line.
    `section`: of the configuration, for messages.
    Raises DataError for a damaged file, one that looks like UTF-16 if another encoding is expected, and a record
    longer than `longest_record` bytes.
    """
    _check_start(path, encoding, section=section)
    joined: list[int] = []
    rest, line, more, n_bytes = _NOTHING, 1, True, first_bytes or block_bytes
    with open_bytes(path) as (stream, file):
        while more:
            data, more = _read_more(stream, rest, n_bytes, recode=recode)
            data, marks = _without_marks(data)
            joined += [line + above for above in marks if above or line > 1]
            end = end_of_records(data) if more else 0
            if end:
                block = TextBlock(data[:end], line)
                yield block
                line += block.n_lines
            rest, n_bytes = data[end:].copy(), block_bytes
            if len(rest) > longest_record:
                raise DataError(
                    f"{path}:{line}: the row that starts here is longer than {longest_record >> 20} MiB; "
                    "is this a text file with line ends?"
                )
            advance(file.tell())
    if joined:
        logger.warning(
            "%s:%d: a byte-order mark is left out here (%d in all); the file seems to be several, joined",
            path,
            joined[0],
            len(joined),
        )
    if len(rest):
        yield TextBlock(rest if rest[-1] == LF else np.append(rest, np.uint8(LF)), line)


def start_of_text(path: Path, encoding: str, n_bytes: int) -> bytes:
    """About the first `n_bytes` of a file as UTF-8, without a byte-order mark."""
    recode = recoding(encoding, None)
    with open_bytes(path) as (stream, _):
        start: bytes = stream.read(n_bytes)
    return (start if recode is None else recode(start, len(start) < n_bytes)).removeprefix(_UTF8_MARK)


def _read_more(stream: pa.NativeFile, rest: Bytes, n_bytes: int, *, recode: Recode | None) -> tuple[Bytes, bool]:
    """The rest of the last block and the next bytes of the file, in a new array; False if there are none."""
    if recode is not None:
        read = stream.read(n_bytes)
        return np.concatenate([rest, np.frombuffer(recode(read, not read), np.uint8)]), len(read) > 0
    room = np.empty(len(rest) + n_bytes, np.uint8)
    room[: len(rest)] = rest
    n_read = stream.readinto(room[len(rest) :])
    return room[: len(rest) + n_read], n_read > 0


def _check_start(path: Path, encoding: str, *, section: str) -> None:
    """Raise DataError if the start of a file looks like UTF-16, and that is not what is expected."""
    if encoding.startswith(("utf-16", "utf-32")):
        return
    with open_bytes(path) as (stream, _):
        start = stream.read(_LOOKED_AT)
    zeros = max(start[0::2].count(0), start[1::2].count(0))
    if start.startswith(_UTF16_MARKS):
        found = "utf-16"
    elif 2 * zeros > len(start) // 2 >= _FEWEST_PAIRS:
        found = byte_order(start, "utf-16")
    else:
        return
    raise DataError(f'{path}: the file looks like UTF-16, expected {encoding}: set {section}.encoding = "{found}"')


def _without_marks(data: Bytes) -> tuple[Bytes, list[int]]:
    """Without byte-order marks at the start of lines, and the number of lines above each of them."""
    if not holds(data, _UTF8_MARK[0]):
        return data, []
    at_start = _MARKS.match(data.data)
    start = 0 if at_start is None else at_start.end()
    within = [mark.end() for mark in _MARK_WITHIN.finditer(data.data)]
    if not within:
        return data[start:], [0] * (start > 0)
    marks = [0] * (start > 0) + [int(np.count_nonzero(data[:mark] == LF)) for mark in within]
    return np.frombuffer(_MARK_WITHIN.sub(rb"\1", data[start:].tobytes()), np.uint8), marks


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
