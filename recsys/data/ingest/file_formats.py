"""The format of a file, by its name."""

from pathlib import PurePath

from recsys.data.ingest.csv_header import layout_hint
from recsys.data.ingest.input_files import InputFile, location_of
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


def plain_name(path: InputFile) -> PurePath:
    """Where `path` lies, without the ending of a compression."""
    location = location_of(path)
    return location.with_suffix("") if location.suffix.lower() in COMPRESSIONS else location


def format_of(path: InputFile, declared: str = "auto", *, section: str = "log") -> str:
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
            f"{_beside(path)}){_first_line_hint(path, section)}"
        )
    return FORMATS[suffix]


def _beside(path: InputFile) -> str:
    return f"{str(path).removesuffix(path.name)}*.csv"


def _first_line_hint(path: InputFile, section: str) -> str:
    """What the first line of a file looks like; empty if there is no file."""
    if isinstance(path, PurePath) and not path.is_file():
        return ""
    with open_bytes(path) as (stream, _):
        line = stream.read(_LINE_BYTES).partition(b"\n")[0]
    return layout_hint(line, section)
