"""CSV and TSV files as batches of raw rows, every row with its line number."""

import csv
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from recsys.data.arrow_file import one_array
from recsys.data.ingest.csv_records import Records, end_of_records, find_records
from recsys.data.ingest.refusals import Reason, marked
from recsys.data.ingest.source import LONGEST_TEXT, Batches, Columns, RawBatch
from recsys.data.ingest.text_blocks import BLOCK_BYTES, CR, Advance, Bytes, TextBlock, holds, text_blocks
from recsys.errors import DataError

_LONE_RETURN = re.compile(rb"\r(?!\n)")
_HEADER_BYTES = 1 << 16

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Layout:
    """What the header says: the number of columns, and the positions of those to read."""

    path: Path
    delimiter: str
    n_columns: int
    places: dict[str, int]
    keep: int


def csv_blocks(
    path: Path, columns: Columns, *, delimiter: str, advance: Advance, block_bytes: int = BLOCK_BYTES
) -> Batches:
    """The rows of a file with a header line. Blank lines are skipped.

    Raises DataError if the header lacks a column, or the file is damaged.
    """
    end = partial(end_of_records, delimiter=delimiter)
    blocks = text_blocks(path, end, advance=advance, block_bytes=block_bytes)
    names, rows = _header(blocks, delimiter, path=path)
    layout = _Layout(path, delimiter, len(names), columns.places(str(path), names), columns.keep)
    return (partial(_parse, block, layout) for block in chain([rows], blocks) if len(block.data))


def _header(blocks: Iterator[TextBlock], delimiter: str, *, path: Path) -> tuple[list[str], TextBlock]:
    """The column names, and what follows them in the first block."""
    for block in blocks:
        # Nearly every header is in the first lines, so the whole block is rarely searched.
        span = _first_record(block.data[:_HEADER_BYTES], delimiter) or _first_record(block.data, delimiter)
        if span:
            start, end, rest = span
            names = next(csv.reader([_decoded(block.data[start:end])], delimiter=delimiter))
            line = block.first_line + TextBlock(block.data[:rest], 1).n_lines
            return names, TextBlock(block.data[rest:], line)
    raise DataError(f"{path}: holds blank lines only; expected a header and rows")


def _first_record(data: Bytes, delimiter: str) -> tuple[int, int, int] | None:
    """Start and end of the first record that is not blank, and the start of the next one."""
    records = find_records(data[: end_of_records(data, delimiter)], delimiter)
    filled = np.flatnonzero(records.ends > records.starts)
    if not len(filled):
        return None
    first = filled[0]
    return int(records.starts[first]), int(records.ends[first]), int(records.nexts[first])


def _parse(block: TextBlock, layout: _Layout) -> RawBatch:
    try:
        table = _read(block.data, layout)
    except pa.ArrowInvalid:
        return _parse_by_records(block, layout)
    if not _one_line_per_row(block, table.num_rows):
        return _parse_by_records(block, layout)
    lines = np.arange(block.first_line, block.first_line + table.num_rows, dtype=np.int64)
    return RawBatch.of(str(layout.path), _columns(table, layout), lines)


def _read(data: Bytes, layout: _Layout) -> pa.Table:
    names = sorted({str(place) for place in layout.places.values()})
    return pa_csv.read_csv(
        pa.BufferReader(pa.py_buffer(data)),
        read_options=pa_csv.ReadOptions(
            use_threads=False,
            block_size=len(data) + 1,
            column_names=[str(place) for place in range(layout.n_columns)],
        ),
        parse_options=pa_csv.ParseOptions(delimiter=layout.delimiter, newlines_in_values=True),
        convert_options=pa_csv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names, pa.binary()),
            strings_can_be_null=False,
        ),
    )


def _columns(table: pa.Table, layout: _Layout) -> dict[str, pa.Array]:
    return {key: one_array(table.column(str(place))) for key, place in layout.places.items()}


def _one_line_per_row(block: TextBlock, n_rows: int) -> bool:
    """False if blank lines, line ends within quotes, or lone carriage returns make lines and rows differ."""
    returns = holds(block.data, CR) and _LONE_RETURN.search(block.data.data)
    return n_rows == block.n_lines and not returns


def _parse_by_records(block: TextBlock, layout: _Layout) -> RawBatch:
    """The slow way: find the records, separate those with the wrong number of fields, and parse the rest."""
    records = find_records(block.data, layout.delimiter)
    filled = records.ends > records.starts
    fits = filled & (records.n_fields == layout.n_columns)
    table = _read_records(block.data, records, fits, layout=layout)
    place = pa.array(np.cumsum(fits[filled]) - 1, mask=~fits[filled])
    return RawBatch.of(
        str(layout.path),
        {key: column.take(place) for key, column in _columns(table, layout).items()},
        block.first_line + records.lines[filled],
        faults=marked((~fits[filled], Reason.BAD_FIELD_COUNT)),
        texts=_texts(block.data, records, filled, fits=fits, keep=layout.keep),
    )


def _read_records(data: Bytes, records: Records, fits: Flags, *, layout: _Layout) -> pa.Table:
    if not fits.any():
        return pa.table({str(place): pa.array([], pa.binary()) for place in layout.places.values()})
    steps = np.zeros(len(data) + 1, np.int8)
    steps[records.starts[fits]] += 1
    steps[records.nexts[fits]] -= 1
    kept = data[np.cumsum(steps[:-1], dtype=np.int8).astype(np.bool_)]
    table = _read(kept, layout)
    if table.num_rows != int(fits.sum()):
        raise DataError(f"{layout.path}: {fits.sum()} rows were found in a block and {table.num_rows} were parsed")
    return table


def _texts(data: Bytes, records: Records, filled: Flags, *, fits: Flags, keep: int) -> dict[int, str]:
    bad = np.flatnonzero(filled & ~fits)[:keep]
    rows = np.cumsum(filled)[bad] - 1
    spans = zip(records.starts[bad].tolist(), records.ends[bad].tolist(), strict=True)
    texts = (_decoded(data[start : min(end, start + LONGEST_TEXT)]) for start, end in spans)
    return dict(zip(rows.tolist(), texts, strict=True))


def _decoded(data: Bytes) -> str:
    return data.tobytes().decode("utf-8", "replace")
