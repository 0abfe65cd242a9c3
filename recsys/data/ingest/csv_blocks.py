"""CSV and TSV files as batches of raw rows, every row with its line number."""

import logging
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from recsys.config import FileFormat
from recsys.data.arrow_file import one_array
from recsys.data.ingest.columns import mask
from recsys.data.ingest.csv_header import HEADER_BYTES, Header, advice, fields_of, find_header, looks_like_data
from recsys.data.ingest.csv_records import Dialect, Records, end_of_records, find_quotes, find_records
from recsys.data.ingest.recoding import SEPARATOR, recoding, restored, restored_column
from recsys.data.ingest.refusals import Reason, marked
from recsys.data.ingest.source import LONGEST_TEXT, Batches, Columns, LineCounts, RawBatch
from recsys.data.ingest.text_blocks import (
    BLOCK_BYTES,
    CR,
    Advance,
    Bytes,
    TextBlock,
    holds,
    last_feed,
    text_blocks,
)
from recsys.errors import DataError

logger = logging.getLogger(__name__)

_LONE_RETURN = re.compile(rb"\r(?!\n)")
_QUOTE = ord('"')
_DELIMITERS = {"csv": ",", "tsv": "\t"}

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class _Layout:
    """How the rows of a file are read: the names of all its columns, and the positions of those to read."""

    path: Path
    dialect: Dialect
    names: tuple[str, ...]
    places: dict[str, int]
    keep: int
    decimal: str


def csv_blocks(
    path: Path,
    columns: Columns,
    layout: FileFormat,
    *,
    kind: str = "csv",
    advance: Advance,
    block_bytes: int = BLOCK_BYTES,
) -> Batches:
    """The rows of a csv or tsv file, as `kind` says, written as `layout` says. Blank lines are skipped.

    Raises DataError if the header lacks a column, or the file is damaged.
    """
    cut = _Cut(_dialect(layout, kind), layout)
    blocks = text_blocks(
        path,
        cut,
        advance=advance,
        encoding=layout.encoding,
        recode=recoding(layout.encoding, cut.dialect.replaced),
        section=columns.section,
        block_bytes=block_bytes,
        first_bytes=min(block_bytes, HEADER_BYTES),
    )
    header, rows = _header(blocks, cut, path=path)
    places = columns.places(
        str(path), header.names, advice=advice(header.names, columns, quoted=header.dialect.quoted)
    )
    if not layout.columns and looks_like_data(header.names):
        logger.warning(
            "%s: the first line is taken as the header and looks like data; if it is a row, set %s.columns",
            path,
            columns.section,
        )
    how = _Layout(path, header.dialect, header.names, places, columns.keep, layout.decimal)
    return (partial(_parse, block, how) for block in chain([rows], blocks) if len(block.data))


def _dialect(layout: FileFormat, kind: str) -> Dialect:
    delimiter = layout.delimiter or _DELIMITERS[kind]
    quoted = layout.quoting == "double" or (layout.quoting == "auto" and kind == "csv")
    if len(delimiter) == 1 and delimiter.isascii() and delimiter != "\0":
        return Dialect(delimiter, quoted)
    return Dialect(SEPARATOR, quoted, replaced=delimiter)


class _Cut:
    """Cuts the header off first, then blocks of whole records as wide as it."""

    def __init__(self, dialect: Dialect, layout: FileFormat) -> None:
        self.dialect = dialect
        self._find = partial(find_header, columns=layout.columns, fixed=layout.delimiter is not None)
        self.header: Header | None = None

    def __call__(self, data: Bytes) -> int:
        if self.header is not None:
            return end_of_records(data, self.header.dialect)
        self.header = self.find_header(data, final=False)
        return 0 if self.header is None else self.header.end

    def find_header(self, data: Bytes, *, final: bool) -> Header | None:
        """The header at the start of a file, None if it is not complete."""
        return self._find(data, self.dialect, final=final)


def _header(blocks: Iterator[TextBlock], cut: _Cut, *, path: Path) -> tuple[Header, TextBlock]:
    """The header, and what follows it in the first block."""
    for block in blocks:
        header = cut.header or cut.find_header(block.data, final=True)
        if header is not None:
            return header, TextBlock(block.data[header.end :], block.first_line + header.lines)
    raise DataError(f"{path}: holds blank lines only; expected a header and rows")


def _parse(block: TextBlock, layout: _Layout) -> RawBatch:
    try:
        table = _read(block.data, layout)
    except pa.ArrowInvalid:
        return _parse_by_records(block, layout)
    if not _one_line_per_row(block, table.num_rows) or _ends_open(block, layout.dialect):
        return _parse_by_records(block, layout)
    columns = _columns(table, layout)
    if _may_be_headers(columns, layout).any():
        return _parse_by_records(block, layout)
    lines = np.arange(block.first_line, block.first_line + table.num_rows, dtype=np.int64)
    rows = RawBatch.of(str(layout.path), _restored(columns, block, layout), lines)
    return replace(rows, decimal=layout.decimal)


def _read(data: Bytes, layout: _Layout) -> pa.Table:
    names = sorted({str(place) for place in layout.places.values()})
    return pa_csv.read_csv(
        pa.BufferReader(pa.py_buffer(data)),
        read_options=pa_csv.ReadOptions(
            use_threads=False,
            block_size=len(data) + 1,
            column_names=[str(place) for place in range(len(layout.names))],
        ),
        parse_options=pa_csv.ParseOptions(
            delimiter=layout.dialect.delimiter,
            quote_char='"' if layout.dialect.quoted else False,
            newlines_in_values=layout.dialect.quoted,
        ),
        convert_options=pa_csv.ConvertOptions(
            include_columns=names,
            column_types=dict.fromkeys(names, pa.binary()),
            strings_can_be_null=False,
        ),
    )


def _columns(table: pa.Table, layout: _Layout) -> dict[str, pa.Array]:
    return {key: one_array(table.column(str(place))) for key, place in layout.places.items()}


def _restored(columns: dict[str, pa.Array], block: TextBlock, layout: _Layout) -> dict[str, pa.Array]:
    """The columns with delimiters and bytes that recoding replaced as they were in the file."""
    delimiter = layout.dialect.replaced
    if delimiter is None or not (holds(block.data, _QUOTE) or holds(block.data, 0xFF)):
        return columns
    return {key: restored_column(column, delimiter) for key, column in columns.items()}


def _one_line_per_row(block: TextBlock, n_rows: int) -> bool:
    """False if blank lines, line ends within quotes, or lone carriage returns make lines and rows differ."""
    returns = holds(block.data, CR) and _LONE_RETURN.search(block.data.data)
    return n_rows == block.n_lines and not returns


def _ends_open(block: TextBlock, dialect: Dialect) -> bool:
    """Whether the last line opens a quote and does not close it."""
    start = last_feed(block.data, len(block.data) - 1) + 1
    return len(find_quotes(block.data[start:], dialect, final=True).strays) > 0


def _may_be_headers(columns: dict[str, pa.Array], layout: _Layout) -> Flags:
    """bool (n,): the rows whose first column that is read holds its own name, plain or in quotes."""
    key, place = next(iter(layout.places.items()))
    name = layout.names[place].strip()
    found = [pc.equal(columns[key], pa.scalar(each.encode(), pa.binary())) for each in (name, f'"{name}"')]
    return mask(pc.fill_null(pc.or_(*found), False))


def _parse_by_records(block: TextBlock, layout: _Layout) -> RawBatch:
    """The slow way: find the records, separate those that cannot be split into columns, and parse the rest."""
    records = find_records(block.data, layout.dialect)
    filled = records.ends > records.starts
    fits = filled & (records.n_fields == len(layout.names)) & ~records.stray
    columns = _columns(_read_records(block.data, records, fits, layout=layout), layout)
    headers = np.zeros(len(fits), np.bool_)
    for at in np.flatnonzero(fits)[np.flatnonzero(_may_be_headers(columns, layout))]:
        headers[at] = _is_header(block.data[records.starts[at] : records.ends[at]].tobytes(), layout)
    place = pa.array(np.cumsum(fits[filled]) - 1, mask=~fits[filled])
    columns = {key: column.take(place) for key, column in columns.items()}
    wrong = filled & ~fits & ~records.stray
    rows = RawBatch.of(
        str(layout.path),
        _restored(columns, block, layout),
        block.first_line + records.lines[filled],
        faults=marked(
            (records.stray[filled], Reason.STRAY_QUOTE),
            (wrong[filled], Reason.BAD_FIELD_COUNT),
            (headers[filled], Reason.REPEATED_HEADER),
        ),
        texts=_texts(block.data, records, filled, bad=filled & (headers | ~fits), layout=layout),
    )
    return replace(rows, lines=_line_counts(block, records, filled), decimal=layout.decimal)


def _is_header(record: bytes, layout: _Layout) -> bool:
    fields = fields_of(record, layout.dialect)
    return [field.strip().strip('"') for field in fields] == [name.strip() for name in layout.names]


def _line_counts(block: TextBlock, records: Records, filled: Flags) -> LineCounts:
    quoted = records.quoted_lines
    longest = None
    if quoted.any():
        at = int(np.argmax(quoted))
        longest = (block.first_line + int(records.lines[at]), int(quoted[at]) + 1)
    return LineCounts(int((~filled).sum()), int(quoted.sum()), longest)


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


def _texts(data: Bytes, records: Records, filled: Flags, *, bad: Flags, layout: _Layout) -> dict[int, str]:
    """The text of the first bad records, by their place among the filled ones."""
    at = np.flatnonzero(bad)[: layout.keep]
    rows = np.cumsum(filled)[at] - 1
    spans = zip(records.starts[at].tolist(), records.ends[at].tolist(), strict=True)
    texts = (data[start : min(end, start + LONGEST_TEXT)].tobytes() for start, end in spans)
    delimiter = layout.dialect.replaced
    shown = (text if delimiter is None else restored(text, delimiter) for text in texts)
    return {row: text.decode("utf-8", "replace") for row, text in zip(rows.tolist(), shown, strict=True)}
