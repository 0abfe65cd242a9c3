"""How many rows a log has, told without reading it: from the sizes of its files and the first rows of a few."""

from collections.abc import Sequence
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.config import LogConfig
from recsys.data.ingest.log_files import format_of, log_files, open_bytes
from recsys.errors import DataError

# A compressed stream is read some 64 KiB ahead of what it gives; against so much text that is little.
_SAMPLE_BYTES = 16 << 20
_MOST_SAMPLED = 8


def estimate_rows(log: LogConfig) -> int:
    """Rows in the files of a log, refused ones included.

    Exact for Parquet, whose metadata tells. Of at most eight text files the first 16 MiB are read, uncompressed; the
    rest of them, and other files, are taken to have as many rows in a byte on disk. A line end within quotes counts
    as a row. Raises DataError as `read_log` does where files are missing, empty or damaged.
    """
    files = log_files(log.paths)
    parquet = [file for file in files if format_of(file, log.format) == "parquet"]
    text = [file for file in files if file not in parquet]
    return sum(map(_parquet_rows, parquet)) + _text_rows(text, log.format)


def _parquet_rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error


def _text_rows(files: Sequence[Path], declared: str) -> int:
    sampled = files[:: -(-len(files) // _MOST_SAMPLED) or 1]
    rows = sum(_rows_of(file, declared) for file in sampled)
    size, seen = (sum(file.stat().st_size for file in some) for some in (files, sampled))
    return round(rows * size / max(seen, 1))


def _rows_of(path: Path, declared: str) -> float:
    with open_bytes(path) as (stream, file):
        start = stream.read(_SAMPLE_BYTES)
        read, more = file.tell(), len(stream.read(1)) > 0
    lines = int(start.count(b"\n")) + (not more and not start.endswith(b"\n"))
    headers = 0 if format_of(path, declared) == "jsonl" else 1
    return max(0.0, lines * (path.stat().st_size / read if more else 1.0) - headers)
