"""The format of a file, by its name."""

from pathlib import Path

from recsys.data.ingest.csv_header import layout_hint
from recsys.data.ingest.text_blocks import COMPRESSIONS, open_bytes
from recsys.errors import DataError

_LINE_BYTES = 1 << 12

FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".jsonl": "jsonl",
    ".ndjson": "jsonl",
    ".json": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
"""Endings of names, without that of a compression, and their formats."""


def plain_name(path: Path) -> Path:
    """`path` without the ending of a compression."""
    return path.with_suffix("") if path.suffix.lower() in COMPRESSIONS else path


def format_of(path: Path, declared: str = "auto", *, section: str = "log") -> str:
    """csv, tsv, jsonl or parquet: as `declared`, else by the file's name.

    Raises DataError for an unknown name; it names the key `format` of the configuration's `section`.
    """
    if declared != "auto":
        return declared
    suffix = plain_name(path).suffix.lower()
    if suffix not in FORMATS:
        raise DataError(
            f"{path}: the name does not show the format; expected {', '.join(FORMATS)}, plain or with "
            f"{' or '.join(COMPRESSIONS)} (set {section}.format, or name the files by a pattern such as "
            f"{path.with_name('*.csv')}){_first_line_hint(path, section)}"
        )
    return FORMATS[suffix]


def _first_line_hint(path: Path, section: str) -> str:
    """What the first line of a file looks like; empty if there is no file."""
    if not path.is_file():
        return ""
    with open_bytes(path) as (stream, _):
        line = stream.read(_LINE_BYTES).partition(b"\n")[0]
    return layout_hint(line, section)
