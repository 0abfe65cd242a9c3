"""The files of a log: found by name or glob, told apart by format and compression, opened as plain bytes."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from recsys.errors import DataError

_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSIONS = {".gz": "gzip", ".zst": "zstd"}
_MAGIC = {"gzip": b"\x1f\x8b", "zstd": b"\x28\xb5\x2f\xfd"}


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


def format_of(path: Path, declared: str = "auto") -> str:
    """csv, tsv, jsonl or parquet: what is `declared`, else by the name. Raises DataError where it does not tell."""
    if declared != "auto":
        return declared
    suffix = path.with_suffix("").suffix if path.suffix.lower() in _COMPRESSIONS else path.suffix
    if suffix.lower() not in _FORMATS:
        raise DataError(
            f"{path}: the name does not tell the format; expected {', '.join(_FORMATS)}, plain or with "
            f"{' or '.join(_COMPRESSIONS)} (or set log.format)"
        )
    return _FORMATS[suffix.lower()]


@contextmanager
def open_bytes(path: Path) -> Iterator[tuple[Any, Any]]:
    """Open a plain, gzip or zstd file: the stream of its decompressed bytes, and the file below (for its position).

    Raises DataError where it cannot be read, is damaged or is cut short, also while the stream is read.
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
    named = _COMPRESSIONS.get(path.suffix.lower())
    if named and actual != named:
        raise DataError(f"{path}: is named {path.suffix} but does not start as {named} does")
    return actual
