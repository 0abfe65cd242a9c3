"""FileSource: the files of a log, found by name or glob, of any format, plain or compressed."""

import hashlib
import logging
import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property, partial
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.config import FileFormat, LogFiles
from recsys.data.ingest.csv_blocks import csv_blocks
from recsys.data.ingest.csv_header import layout_hint
from recsys.data.ingest.jsonl_blocks import jsonl_blocks
from recsys.data.ingest.parquet_blocks import parquet_blocks
from recsys.data.ingest.source import Batches, Columns
from recsys.data.ingest.text_blocks import BLOCK_BYTES, COMPRESSIONS, Advance, open_bytes
from recsys.errors import ConfigError, DataError
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)

_AS_NAMED = FileFormat()

# A compressed stream reads about 64 KiB ahead, which is little compared with this.
_SAMPLE_BYTES = 16 << 20
_SAMPLED_FILES = 8
_HEADER_BYTES = 1 << 16
_LINE_BYTES = 1 << 12

_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}


def log_files(paths: Iterable[Path]) -> tuple[Path, ...]:
    """The files that `paths` (files and globs) name, sorted, each once.

    Raises DataError for a path that names no file, a directory, and an empty file.
    """
    found = sorted({file for path in paths for file in _matches(path)})
    for file in found:
        if file.stat().st_size == 0:
            raise DataError(f"{file}: the file is empty (0 bytes)")
    return tuple(found)


def _matches(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    if path.is_dir():
        raise DataError(f"{path}: is a directory; name its files, such as {path / '*.csv'}")
    files = [match for match in _glob(path) if match.is_file() and not match.name.startswith(".")]
    if not files:
        is_glob = any(sign in str(path) for sign in "*?[")
        raise DataError(f"{path}: {'no file matches this pattern' if is_glob else 'no such file'}")
    return files


def _glob(path: Path) -> Iterator[Path]:
    whole = path.absolute()
    return Path(whole.anchor).glob(str(whole.relative_to(whole.anchor)))


def format_of(path: Path, declared: str = "auto", *, section: str = "log") -> str:
    """csv, tsv, jsonl or parquet: as `declared`, else by the file's name.

    Raises DataError for an unknown name; it names the key `format` of the configuration's `section`.
    """
    if declared != "auto":
        return declared
    suffix = path.with_suffix("").suffix if path.suffix.lower() in COMPRESSIONS else path.suffix
    if suffix.lower() not in _FORMATS:
        raise DataError(
            f"{path}: the name does not show the format; expected {', '.join(_FORMATS)}, plain or with "
            f"{' or '.join(COMPRESSIONS)} (or set {section}.format){_first_line_hint(path, section)}"
        )
    return _FORMATS[suffix.lower()]


def _first_line_hint(path: Path, section: str) -> str:
    """What the first line of a file looks like; empty if there is no file."""
    if not path.is_file():
        return ""
    with open_bytes(path) as (stream, _):
        line = stream.read(_LINE_BYTES).partition(b"\n")[0]
    return layout_hint(line, section)


@dataclass(frozen=True)
class FileSource:
    """Files in sorted order, as one log.

    `paths`: files and globs. `layout`: how they are written. `section`: the section of the configuration that says
    so, for messages that name its keys. `block_bytes`: size of the blocks that text files are read in.
    Its methods raise DataError for files that are missing, empty, damaged or of no known format.
    """

    paths: tuple[Path, ...]
    layout: FileFormat = _AS_NAMED
    section: str = "log"
    block_bytes: int = BLOCK_BYTES

    @staticmethod
    def of(log: LogFiles) -> "FileSource":
        """The files that a log's configuration names."""
        return FileSource(log.paths, log)

    @cached_property
    def files(self) -> tuple[Path, ...]:
        """The files, found once."""
        return log_files(self.paths)

    @property
    def description(self) -> str:
        """The first file, and how many more there are."""
        more = len(self.files) - 1
        return f"{self.files[0]} and {more} more" if more else str(self.files[0])

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, over the name, size and content of every file.

        Names are relative to the deepest folder that holds all files, so that a log may move as a whole.
        """
        base = Path(os.path.commonpath([file.parent for file in self.files]))
        total = hashlib.sha256()
        for file, digest in self.digests.items():
            total.update(f"{file.relative_to(base).as_posix()}\0{file.stat().st_size}\0{digest}\n".encode())
        return total.hexdigest()

    @cached_property
    def digests(self) -> dict[Path, str]:
        """sha256 of every file, in hexadecimal; each file is read once."""
        return {file: _sha256(file) for file in self.files}

    def estimate_rows(self) -> int:
        """Rows in the files, refused ones included.

        Exact for Parquet, by its metadata. Of up to eight text files the first 16 MiB (uncompressed) are read; the
        rest of them, and the other files, are assumed to have as many rows per byte on disk. A line end within
        quotes counts as a row.
        """
        parquet = [file for file in self.files if self._format_of(file) == "parquet"]
        text = [file for file in self.files if file not in parquet]
        return sum(map(_parquet_rows, parquet)) + _text_rows(text, self._has_header)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """The rows of all files; `progress` counts bytes on disk. A file without rows is logged as a warning."""
        sizes = [file.stat().st_size for file in self.files]
        for number, file in enumerate(self.files):
            before, n_batches = sum(sizes[:number]), 0
            for parse in self._batches_of(file, columns, partial(_report, progress, before, sum(sizes))):
                n_batches += 1
                yield parse
            if not n_batches:
                logger.warning("%s: the file holds no rows", file)

    def check(self, columns: Columns) -> None:
        """Look at the start of every file. Raises DataError if one lacks a column or cannot be read."""
        for file in self.files:
            next(iter(self._start_of(file, columns)), None)

    def _start_of(self, path: Path, columns: Columns) -> Batches:
        """As `_batches_of`, for its first batch only; keys of JSON objects are looked for in a whole block."""
        kind = self._format_of(path)
        if kind == "parquet":
            return parquet_blocks(path, columns, advance=_nobody, block_rows=1)
        source = self if kind == "jsonl" else replace(self, block_bytes=_HEADER_BYTES)
        return source._batches_of(path, columns, _nobody)

    def _format_of(self, path: Path) -> str:
        kind = format_of(path, self.layout.format, section=self.section)
        if self.layout.columns and kind not in ("csv", "tsv"):
            raise ConfigError(
                f"{self.section}.columns: is for csv and tsv files; {path} has names of its own ({kind})"
            )
        return kind

    def _has_header(self, path: Path) -> bool:
        return self._format_of(path) in ("csv", "tsv") and not self.layout.columns

    def _batches_of(self, path: Path, columns: Columns, advance: Advance) -> Batches:
        kind = self._format_of(path)
        if kind == "parquet":
            return parquet_blocks(path, columns, advance=advance)
        if kind == "jsonl":
            return jsonl_blocks(path, columns, advance=advance, block_bytes=self.block_bytes)
        return csv_blocks(path, columns, self.layout, kind=kind, advance=advance, block_bytes=self.block_bytes)


def _sha256(path: Path) -> str:
    with path.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _nobody(position: float) -> None:
    """Progress that is not shown."""


def _report(progress: Progress, before: int, total: int, position: float) -> None:
    progress("read", before + position, total)


def _parquet_rows(path: Path) -> int:
    try:
        return int(pq.read_metadata(path).num_rows)
    except (pa.ArrowException, OSError) as error:
        raise DataError(f"{path}: cannot be read as Parquet: {error}") from error


def _text_rows(files: Sequence[Path], has_header: Callable[[Path], bool]) -> int:
    sampled = files[:: -(-len(files) // _SAMPLED_FILES) or 1]
    rows = sum(_rows_of(file, has_header=has_header(file)) for file in sampled)
    size, seen = (sum(file.stat().st_size for file in group) for group in (files, sampled))
    return round(rows * size / max(seen, 1))


def _rows_of(path: Path, *, has_header: bool) -> float:
    with open_bytes(path) as (stream, file):
        start = stream.read(_SAMPLE_BYTES)
        read, more = file.tell(), len(stream.read(1)) > 0
    lines = int(start.count(b"\n")) + (not more and not start.endswith(b"\n"))
    return max(0.0, lines * (path.stat().st_size / read if more else 1.0) - has_header)
