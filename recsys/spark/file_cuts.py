"""File cuts: where large files of a log are cut, so that several tasks read one file.

A plain text in UTF-8 is cut at line ends; if a record turns out to go on after one, the file is read as a whole. A
Parquet file is cut between row groups. Compressed files, other encodings and arrays of JSON are read as a whole.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.ingest.file_parts import FilePart, GroupsPart, TextPart
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.input_files import InputFile, size_of
from recsys.data.ingest.json_layout import JsonLayout, json_layout
from recsys.data.ingest.record_blocks import LF
from recsys.data.ingest.text_blocks import COMPRESSIONS, compression_of, start_of_text
from recsys.errors import DataError
from recsys.spark.tallies import tally, tally_tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

PART_BYTES = 64 << 20
"""Bytes of a part, about; a file of up to twice as many is not cut."""

_AT_ONCE, _START = 4 << 20, 1 << 16
_FEEDS = "feeds"

Parts = Sequence[FilePart | None]
"""The parts of one file, in order; None alone is the whole file."""


def cut_files(spark: "SparkSession", source: FileSource, *, part_bytes: int) -> list[Parts]:
    """The parts of each file of `source`. The lines of large texts are counted, in tasks. Raises DataError."""
    large = [file for file in source.files if isinstance(file, Path) and size_of(file) > 2 * part_bytes]
    texts = [file for file in large if _is_plain_text(source, file)]
    cut: dict[InputFile, Parts] = dict(zip(texts, _cut_texts(spark, texts, part_bytes), strict=True))
    for file in large:
        if source.format_of(file) == "parquet":
            cut[file] = _cut_groups(file, part_bytes)
    return [cut.get(file, (None,)) for file in source.files]


def _is_plain_text(source: FileSource, file: Path) -> bool:
    """Whether a file is a text that ends a record at nearly every line end, as it lies on the disk."""
    layout, kind = source.layout, source.format_of(file)
    plain = layout.encoding == "utf-8" and len(layout.delimiter or ",") == 1 and (layout.delimiter or ",").isascii()
    if kind == "parquet" or not plain or file.suffix.lower() in COMPRESSIONS or compression_of(file) is not None:
        return False
    is_json = kind in ("json", "jsonl")
    return not is_json or json_layout(start_of_text(file, layout.encoding, _START)) is JsonLayout.LINES


def _cut_groups(file: Path, part_bytes: int) -> Parts:
    """Row groups that follow each other, of about `part_bytes` in all. A damaged file is told when it is read."""
    try:
        footer = pq.read_metadata(file)
    except (pa.ArrowException, OSError):
        return (None,)
    n_groups, per_group = footer.num_row_groups, max(1, size_of(file) // max(footer.num_row_groups, 1))
    bounds = [*range(0, n_groups, max(1, part_bytes // per_group)), n_groups]
    rows = np.cumsum([0, *(footer.row_group(at).num_rows for at in range(n_groups))]).tolist()
    parts = tuple(GroupsPart(start, stop, rows[start]) for start, stop in pairwise(bounds))
    return parts if len(parts) > 1 else (None,)


@dataclass(frozen=True)
class _Range:
    path: Path
    start: int
    stop: int


def _cut_texts(spark: "SparkSession", files: Sequence[Path], part_bytes: int) -> Iterator[Parts]:
    """Cut each text after the first line end of every range of `part_bytes`."""
    ranges = [
        [_Range(file, start, min(start + part_bytes, size_of(file))) for start in range(0, size_of(file), part_bytes)]
        for file in files
    ]
    every = [each for of_file in ranges for each in of_file]

    def count(number: int) -> Iterator[pa.RecordBatch]:
        n_feeds, first = _feeds(every[number])
        if n_feeds:
            yield tally(_FEEDS, number, n_feeds, low=first)

    found = tally_tasks(spark, len(every), count, doing="while the lines of large files were counted")[_FEEDS]
    feeds = {
        key: (n, low) for key, n, low in zip(found.key.tolist(), found.n.tolist(), found.low.tolist(), strict=True)
    }
    before = 0
    for of_file in ranges:
        yield _parts(of_file, [feeds.get(before + at) for at in range(len(of_file))])
        before += len(of_file)


def _parts(ranges: Sequence[_Range], feeds: Sequence[tuple[int, int] | None]) -> Parts:
    """`feeds`: of each range its line feeds, and the place of the first; None if there are none."""
    starts, lines, line = [0], [1], 1
    for at, found in enumerate(feeds):
        if at and found is not None and found[1] + 1 < ranges[-1].stop:
            starts.append(found[1] + 1)
            lines.append(line + 1)
        line += 0 if found is None else found[0]
    bounds = [*starts, ranges[-1].stop]
    cut = zip(pairwise(bounds), lines, strict=True)
    parts = tuple(TextPart(start, stop, first, stop == bounds[-1]) for (start, stop), first in cut)
    return parts if len(parts) > 1 else (None,)


def _feeds(of: _Range) -> tuple[int, int]:
    """The line feeds in a range, and the place of the first in the file. Raises DataError."""
    n_feeds, first, at = 0, -1, of.start
    try:
        with of.path.open("rb") as file:
            file.seek(of.start)
            while at < of.stop and (data := file.read(min(_AT_ONCE, of.stop - at))):
                if first < 0 and (found := data.find(b"\n")) >= 0:
                    first = at + found
                n_feeds += int(np.count_nonzero(np.frombuffer(data, np.uint8) == LF))
                at += len(data)
    except OSError as error:
        raise DataError(f"{of.path}: cannot be read: {error.strerror}") from error
    return n_feeds, first
