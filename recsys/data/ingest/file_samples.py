"""File samples: what a file holds, by its footer, its size or its first part."""

import re
from collections.abc import Callable, Sequence

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.ingest.input_files import InputFile, open_file, size_of
from recsys.data.ingest.text_blocks import open_bytes
from recsys.errors import DataError

# A compressed stream reads about 64 KiB ahead, which is little compared with this.
_SAMPLE_BYTES = 16 << 20
_SAMPLED_FILES = 8
_PIECE_BYTES = 1 << 16
_LINE_BYTES = 1 << 12
_BLANK = b" \t\r\n\xef\xbb\xbf"

_NEXT_OBJECT = re.compile(rb"\},\s*\{")


def is_blank(path: InputFile, kind: str) -> bool:
    """Whether a Parquet file has no column, or a text file nothing but blank lines or an empty array."""
    if kind == "parquet":
        return not _parquet_footer(path).num_columns
    blank = _BLANK if kind in ("csv", "tsv") else _BLANK + b"[]"
    with open_bytes(path) as (stream, _):
        while piece := stream.read(_PIECE_BYTES):
            if piece.strip(blank):
                return False
    return True


def parquet_rows(path: InputFile) -> int:
    """The rows of a Parquet file. Raises DataError if it cannot be read."""
    return int(_parquet_footer(path).num_rows)


def _parquet_footer(path: InputFile) -> pq.FileMetaData:
    try:
        with open_file(path) as file:
            return pq.read_metadata(file)
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error


def text_rows(files: Sequence[InputFile], has_header: Callable[[InputFile], bool]) -> int:
    """About the rows of text files: up to eight are sampled, the others assumed to have as many per byte on disk."""
    sampled = files[:: -(-len(files) // _SAMPLED_FILES) or 1]
    rows = sum(_rows_of(file, has_header=has_header(file)) for file in sampled)
    size, seen = (sum(map(size_of, group)) for group in (files, sampled))
    return round(rows * size / max(seen, 1))


def _rows_of(path: InputFile, *, has_header: bool) -> float:
    with open_bytes(path) as (stream, file):
        start = stream.read(_SAMPLE_BYTES)
        read, more = file.tell(), len(stream.read(1)) > 0
    lines = int(start.count(b"\n")) + (not more and not start.endswith(b"\n"))
    if start[:_LINE_BYTES].lstrip().startswith(b"["):
        lines = max(lines, len(_NEXT_OBJECT.findall(start)) + 1)
    return max(0.0, lines * (size_of(path) / read if more else 1.0) - has_header)
