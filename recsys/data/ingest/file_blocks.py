"""One file of any format as blocks of raw rows."""

from pathlib import Path

from recsys.data.ingest.csv_blocks import csv_blocks
from recsys.data.ingest.jsonl_blocks import jsonl_blocks
from recsys.data.ingest.log_files import format_of
from recsys.data.ingest.parquet_blocks import parquet_blocks
from recsys.data.ingest.raw_rows import Blocks, Wanted
from recsys.data.ingest.text_blocks import Advance
from recsys.errors import ConfigError

_SEPARATORS = {"csv": ",", "tsv": "\t"}


def file_blocks(
    path: Path, wanted: Wanted, *, advance: Advance, declared: str = "auto", delimiter: str | None = None
) -> Blocks:
    """The rows of `path`, whose format is `declared` or told by its name; `delimiter` is that of CSV.

    Raises DataError where the format is unknown, a wanted column is missing, or the file is damaged.
    """
    kind = format_of(path, declared)
    if kind == "jsonl":
        return jsonl_blocks(path, wanted, advance=advance)
    if kind == "parquet":
        return parquet_blocks(path, wanted, advance=advance)
    return csv_blocks(path, wanted, delimiter=_delimiter(delimiter or _SEPARATORS[kind]), advance=advance)


def _delimiter(text: str) -> str:
    if not text.isascii() or text in '"\r\n':
        raise ConfigError(f"log.delimiter: got {text!r}; expected one ASCII character that is no quote or line end")
    return text
