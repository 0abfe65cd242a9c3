"""Plain and compressed text files as blocks of whole records."""

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
import pyarrow as pa

from recsys.data.ingest.expansion import NO_LIMIT, ExpansionLimit
from recsys.data.ingest.file_parts import TextPart, TornRecordError
from recsys.data.ingest.input_files import InputFile, open_file
from recsys.data.ingest.recoding import Recode, byte_order, recoding
from recsys.data.ingest.record_blocks import (
    LF,
    LONGEST_RECORD,
    Bytes,
    EndOfRecords,
    TextBlock,
    after_line,
    cut_blocks,
    ended,
    holds,
    overlong,
)
from recsys.errors import DataError

logger = logging.getLogger(__name__)

BLOCK_BYTES = 16 << 20
_UTF8_MARK = b"\xef\xbb\xbf"
_MARKS = re.compile(rb"(?:\xef\xbb\xbf)+")
_MARK_WITHIN = re.compile(rb"([\r\n])(?:\xef\xbb\xbf)+")
COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}
_UTF32_MARKS = (b"\xff\xfe\0\0", b"\0\0\xfe\xff")
_UTF16_MARKS = (b"\xff\xfe", b"\xfe\xff")

# Every other byte of UTF-16 is mostly zero; this many pairs of bytes are enough to tell.
_FEWEST_PAIRS = 8
_LOOKED_AT = 1024

Advance = Callable[[float], None]
"""Called with the number of bytes of the file on disk that have been read."""

_NOTHING = np.empty(0, np.uint8)


def text_blocks(
    path: InputFile,
    end_of_records: EndOfRecords,
    *,
    advance: Advance,
    encoding: str = "utf-8",
    recode: Recode | None = None,
    section: str = "log",
    block_bytes: int = BLOCK_BYTES,
    first_bytes: int | None = None,
    longest_record: int = LONGEST_RECORD,
    limit: ExpansionLimit = NO_LIMIT,
    part: TextPart | None = None,
) -> Iterator[TextBlock]:
    """Cut a plain or compressed file into blocks of up to about `block_bytes`; the first is of about `first_bytes`.

    `recode`: makes UTF-8 of the file's `encoding`. Byte-order marks are left out, also at the start of a later line.
    `section`: of the configuration, for messages. A line longer than `longest_record` bytes is a block of its own,
    without its end. Blocks of very short lines, or of many quotes, are smaller. `limit`: on decompressed bytes.
    `part`: of a plain file in UTF-8, to read that alone. Raises TornRecordError if it ends within a record.
    Raises DataError for a damaged file, one that looks like UTF-16 if another encoding is expected, one that
    decompresses to more than `limit`, and if the first record is too long.
    """
    _check_start(path, encoding, section=section)
    marks = _Marks(path)
    rest, line, total, n_bytes, more = _NOTHING, 1, 0, first_bytes or block_bytes, True
    within_overlong = False
    with open_bytes(path) as (stream, file):
        if part is not None:
            stream.seek(part.start)
            line, n_bytes = part.first_line, min(n_bytes, part.stop - part.start)
        while more:
            data, n_read = _read_more(stream, rest, n_bytes, recode=recode)
            more, total, n_bytes, end = n_read > 0, total + n_read, block_bytes, 0
            if part is not None:
                n_bytes = min(n_bytes, part.stop - part.start - total)
            limit.check(path, total, file.tell())
            if within_overlong and len(data):
                following = after_line(data)
                data, within_overlong = (_NOTHING, True) if following is None else (following, False)
            data = marks.left_out(data, line)
            for block, end_of_block in cut_blocks(data, line, end_of_records, longest=longest_record) if more else ():
                yield _checked(block, path, longest=longest_record)
                line, end = line + block.n_lines, end_of_block
            rest = data[end:].copy()
            if len(rest) > longest_record:  # and it has no line end, or it would have been cut
                yield _checked(overlong(rest, line), path, longest=longest_record)
                following, line = after_line(rest), line + 1
                rest, within_overlong = (_NOTHING, True) if following is None else (following.copy(), False)
            advance(file.tell())
    marks.warn()
    if len(rest):
        if part is not None and not part.is_last:
            raise TornRecordError(f"{path}: the row at line {line} goes on after byte {part.stop}")
        yield TextBlock(ended(rest), line)


def _checked(block: TextBlock, path: InputFile, *, longest: int) -> TextBlock:
    """The block. Raises DataError if it is the first line of a file, and too long."""
    if block.is_overlong and block.first_line == 1:
        raise DataError(
            f"{path}:1: the row that starts here is longer than {longest / 2**20:.3g} MiB; "
            "is this a text file with line ends?"
        )
    return block


def start_of_text(path: InputFile, encoding: str, n_bytes: int) -> bytes:
    """About the first `n_bytes` of a file as UTF-8, without a byte-order mark."""
    recode = recoding(encoding, None)
    with open_bytes(path) as (stream, _):
        start: bytes = stream.read(n_bytes)
    return (start if recode is None else recode(start, len(start) < n_bytes)).removeprefix(_UTF8_MARK)


def _read_more(stream: pa.NativeFile, rest: Bytes, n_bytes: int, *, recode: Recode | None) -> tuple[Bytes, int]:
    """The rest of the last block and the next bytes of the file, in a new array; and how many were read."""
    if recode is not None:
        read = stream.read(n_bytes)
        return np.concatenate([rest, np.frombuffer(recode(read, not read), np.uint8)]), len(read)
    room = np.empty(len(rest) + n_bytes, np.uint8)
    room[: len(rest)] = rest
    n_read = int(stream.readinto(room[len(rest) :]))
    return room[: len(rest) + n_read], n_read


def _check_start(path: InputFile, encoding: str, *, section: str) -> None:
    """Raise DataError if the start of a file looks like UTF-16 or UTF-32, and that is not what is expected."""
    if encoding.startswith(("utf-16", "utf-32")):
        return
    with open_bytes(path) as (stream, _):
        start = stream.read(_LOOKED_AT)
    zeros = max(start[0::2].count(0), start[1::2].count(0))
    if start.startswith(_UTF32_MARKS):
        found = "utf-32"
    elif start.startswith(_UTF16_MARKS):
        found = "utf-16"
    elif 2 * zeros > len(start) // 2 >= _FEWEST_PAIRS:
        found = byte_order(start, "utf-16")
    else:
        return
    raise DataError(
        f'{path}: the file looks like {found[:6].upper()}, expected {encoding}: set {section}.encoding = "{found}"'
    )


class _Marks:
    """Byte-order marks at the start of lines are left out; those not at the start of the file are counted."""

    def __init__(self, path: InputFile) -> None:
        self._path, self._first, self._n = path, 0, 0

    def left_out(self, data: Bytes, line: int) -> Bytes:
        """`data` without them; `line` is the number of its first line."""
        if not holds(data, _UTF8_MARK[0]):
            return data
        at_start = _MARKS.match(data.data)
        start = 0 if at_start is None else at_start.end()
        self._count(line, n=int(start > 0 and line > 1))
        text, n_within = _MARK_WITHIN.subn(rb"\1", data[start:].tobytes())
        if not n_within:
            return data[start:]
        first = _MARK_WITHIN.search(data.data)
        above = 0 if first is None else int(np.count_nonzero(data[: first.end()] == LF))
        self._count(line + above, n=n_within)
        return np.frombuffer(text, np.uint8)

    def _count(self, line: int, *, n: int) -> None:
        self._first = self._first or (line if n else 0)
        self._n += n

    def warn(self) -> None:
        """Warn of them, with the line of the first."""
        if self._n:
            logger.warning(
                "%s:%d: a byte-order mark is left out here (%d in all); the file seems to be several, joined",
                self._path,
                self._first,
                self._n,
            )


@contextmanager
def open_bytes(path: InputFile) -> Iterator[tuple[pa.NativeFile, pa.NativeFile]]:
    """Open a plain, gzip or zstd file: the stream of its decompressed bytes, and the file below (for its position).

    Raises DataError if it cannot be read, is damaged or is cut short, also while the stream is read.
    """
    try:
        with open_file(path) as file:
            compression = _compression(file, path)
            yield (pa.CompressedInputStream(file, compression) if compression else file), file
    except OSError as error:
        raise DataError(f"{path}: cannot be read, or is damaged or cut short: {error}") from error


def compression_of(path: InputFile) -> str | None:
    """gzip, zstd, or None for a plain file, by its first bytes. Raises DataError."""
    with open_bytes(path) as (_, file):
        file.seek(0)
        return _compression(file, path)


def _compression(file: pa.NativeFile, path: InputFile) -> str | None:
    start = file.read(4)
    file.seek(0)
    actual = next((name for name, magic in _MAGIC.items() if start.startswith(magic)), None)
    named = COMPRESSIONS.get(path.suffix.lower())
    if named and actual != named:
        raise DataError(f"{path}: is named {path.suffix} but does not start as {named} does")
    return actual
