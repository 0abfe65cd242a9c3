"""The rows of a block of CSV text: pyarrow parses all of it, or only those records that are as wide as the header."""

import re
from dataclasses import dataclass, replace
from functools import reduce

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as pa_csv
from numpy.typing import NDArray

from recsys.data.arrow_file import one_array
from recsys.data.ingest.columns import mask
from recsys.data.ingest.csv_dialect import Dialect
from recsys.data.ingest.csv_header import fields_of
from recsys.data.ingest.csv_quote_runs import Positions
from recsys.data.ingest.csv_quotes import find_quotes
from recsys.data.ingest.csv_records import Records, find_records
from recsys.data.ingest.input_files import InputFile
from recsys.data.ingest.odd_lines import no_rows, overlong_row, without_empty_lines
from recsys.data.ingest.recoding import restored, restored_column
from recsys.data.ingest.record_blocks import CR, Bytes, TextBlock, holds, last_feed
from recsys.data.ingest.refusals import Reason, marked
from recsys.data.ingest.source import (
    EVENT,
    ITEM,
    ITEM_ID,
    LONGEST_TEXT,
    TIMESTAMP,
    USER,
    VALUE,
    LineCounts,
    RawBatch,
)
from recsys.errors import DataError

_LONE_RETURN = re.compile(rb"\r(?!\n)")
_QUOTE = ord('"')
_NO_PARTS = np.empty(0, np.int64)
_SHORTEST_LINE = 4
"""Bytes per line, below which many lines must be blank."""

ONE_LINE_KEYS = frozenset((USER, ITEM, TIMESTAMP, EVENT, VALUE, ITEM_ID))
"""The keys of columns whose values have no line ends, and no quotes if quotes are text; titles and attributes may."""

Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class RowLayout:
    """How the rows of a file are read.

    `names`: of all its columns. `places`: by key, the positions of those to read. `keep`: up to this many rows per
    block that cannot be split into columns are kept as text. `decimal`: the decimal sign. `expects_no_quotes`: values
    in quotes are counted if quotes are text.
    """

    path: InputFile
    dialect: Dialect
    names: tuple[str, ...]
    places: dict[str, int]
    keep: int
    decimal: str
    expects_no_quotes: bool


def parse_rows(block: TextBlock, layout: RowLayout) -> RawBatch:
    """The rows of one block."""
    if block.is_overlong:
        return overlong_row(block, layout.path, layout.places)
    if block.is_blank:
        return no_rows(layout.path, layout.places, n_blank=block.n_line_ends)
    data, lines = block.data, np.arange(block.first_line, block.first_line + block.n_lines, dtype=np.int64)
    has_quotes = layout.dialect.quoted and holds(data, _QUOTE)
    dense = block.n_lines * _SHORTEST_LINE > len(data)
    columns = None if dense else _parsed_quickly(data, layout, n_lines=block.n_lines)
    if columns is None and (dense or not has_quotes):
        parts = find_quotes(data, layout.dialect, final=True).bounds if has_quotes else _NO_PARTS
        data, lines = without_empty_lines(block, parts)
        if not has_quotes and (dense or len(lines) < block.n_lines):
            columns = _parsed_quickly(data, layout, n_lines=len(lines))
    if columns is None:
        n_blank, after = block.n_lines - len(lines), block.first_line + block.n_lines
        return _parse_by_records(data, np.append(lines, after), layout, n_blank=n_blank)
    rows = RawBatch.of(str(layout.path), _restored(columns, data, layout), lines)
    counts = LineCounts(blank=block.n_lines - len(lines), in_quotes=_in_quotes(columns, data, layout))
    return replace(rows, lines=counts, decimal=layout.decimal)


def _parsed_quickly(data: Bytes, layout: RowLayout, *, n_lines: int) -> dict[str, pa.Array] | None:
    """The columns of lines that pyarrow can parse, each a row; None if it cannot, or if a line may be a header."""
    if not len(data):
        return {key: pa.array([], pa.binary()) for key in layout.places}
    try:
        table = _read(data, layout)
    except pa.ArrowInvalid:
        return None
    if not _one_line_per_row(data, n_lines, table.num_rows) or _ends_open(data, layout.dialect):
        return None
    columns = _columns(table, layout)
    return None if _may_be_headers(columns, layout).any() else columns


def _read(data: Bytes, layout: RowLayout) -> pa.Table:
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


def _columns(table: pa.Table, layout: RowLayout) -> dict[str, pa.Array]:
    return {key: one_array(table.column(str(place))) for key, place in layout.places.items()}


def _restored(columns: dict[str, pa.Array], data: Bytes, layout: RowLayout) -> dict[str, pa.Array]:
    """The columns with delimiters and bytes that recoding replaced as they were in the file."""
    delimiter = layout.dialect.replaced
    if delimiter is None or not (holds(data, _QUOTE) or holds(data, 0xFF)):
        return columns
    return {key: restored_column(column, delimiter) for key, column in columns.items()}


def _in_quotes(columns: dict[str, pa.Array], data: Bytes, layout: RowLayout) -> int:
    """Values in quotes, if quotes are text and no setting says so; only titles and attributes may have some."""
    if not layout.expects_no_quotes or layout.dialect.quoted or not holds(data, _QUOTE):
        return 0
    found = (pc.match_substring_regex(columns[key], '^".*"$') for key in columns.keys() & ONE_LINE_KEYS)
    return sum(pc.sum(each).as_py() or 0 for each in found)


def _one_line_per_row(data: Bytes, n_lines: int, n_rows: int) -> bool:
    """False if blank lines, line ends within quotes, or lone carriage returns make lines and rows differ."""
    return n_rows == n_lines and not (holds(data, CR) and _LONE_RETURN.search(data.data))


def _ends_open(data: Bytes, dialect: Dialect) -> bool:
    """Whether the last line opens a quote and does not close it."""
    start = last_feed(data, len(data) - 1) + 1
    return len(find_quotes(data[start:], dialect, final=True).strays) > 0


def _may_be_headers(columns: dict[str, pa.Array], layout: RowLayout) -> Flags:
    """bool (n,): the rows whose first column that is read holds its own name, in quotes or not, or another's."""
    key, place = next(iter(layout.places.items()))
    names = {layout.names[each].strip() for each in layout.places.values()} | {f'"{layout.names[place].strip()}"'}
    found = (pc.equal(columns[key], pa.scalar(name.encode(), pa.binary())) for name in names)
    return mask(pc.fill_null(reduce(pc.or_, found), False))


def _parse_by_records(data: Bytes, lines: Positions, layout: RowLayout, *, n_blank: int) -> RawBatch:
    """The slow way: find the records, separate those that cannot be split into columns, and parse the rest.

    `lines`: the numbers of the lines in `data`, and of the next one, int64 (n + 1,), because carriage returns alone,
    which end records, end none. `n_blank`: blank lines that are not in it.
    """
    records = find_records(data, layout.dialect)
    filled = records.ends > records.starts
    fits = filled & (records.n_fields == len(layout.names)) & ~records.stray
    columns = _columns(_read_records(data, records, fits, layout=layout), layout)
    headers = np.zeros(len(fits), np.bool_)
    for at in np.flatnonzero(fits)[np.flatnonzero(_may_be_headers(columns, layout))]:
        text = data[records.starts[at] : records.ends[at]].tobytes()
        headers[at] = _is_header(text, layout, line=int(lines[records.lines[at]]))
    place = pa.array(np.cumsum(fits[filled]) - 1, mask=~fits[filled])
    columns = {key: column.take(place) for key, column in columns.items()}
    wrong = filled & ~fits & ~records.stray
    rows = RawBatch.of(
        str(layout.path),
        _restored(columns, data, layout),
        lines[records.lines[filled]],
        faults=marked(
            (records.stray[filled], Reason.STRAY_QUOTE),
            (wrong[filled], Reason.BAD_FIELD_COUNT),
            (headers[filled], Reason.REPEATED_HEADER),
        ),
        texts=_texts(data, records, filled, bad=filled & (headers | ~fits), layout=layout),
    )
    counts = replace(
        _line_counts(lines, records, filled, n_blank=n_blank), in_quotes=_in_quotes(columns, data, layout)
    )
    return replace(rows, lines=counts, decimal=layout.decimal)


def _is_header(record: bytes, layout: RowLayout, *, line: int) -> bool:
    fields = [field.strip().strip('"') for field in fields_of(record, layout.dialect)]
    names = [name.strip() for name in layout.names]
    if fields != names and sorted(fields) == sorted(names):
        raise DataError(
            f"{layout.path}:{line}: another header, with the columns in another order; the file seems to be several, "
            "joined; give them as files of their own"
        )
    return fields == names


def _line_counts(lines: Positions, records: Records, filled: Flags, *, n_blank: int) -> LineCounts:
    quoted = records.quoted_lines
    longest = None
    if quoted.any():
        at = int(np.argmax(quoted))
        longest = (int(lines[records.lines[at]]), int(quoted[at]) + 1)
    return LineCounts(n_blank + int((~filled).sum()), int(quoted.sum()), longest)


def _read_records(data: Bytes, records: Records, fits: Flags, *, layout: RowLayout) -> pa.Table:
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


def _texts(data: Bytes, records: Records, filled: Flags, *, bad: Flags, layout: RowLayout) -> dict[int, str]:
    """The text of the first bad records, by their place among the filled ones."""
    at = np.flatnonzero(bad)[: layout.keep]
    rows = np.cumsum(filled)[at] - 1
    spans = zip(records.starts[at].tolist(), records.ends[at].tolist(), strict=True)
    texts = (data[start : min(end, start + LONGEST_TEXT)].tobytes() for start, end in spans)
    delimiter = layout.dialect.replaced
    shown = (text if delimiter is None else restored(text, delimiter) for text in texts)
    return {row: text.decode("utf-8", "replace") for row, text in zip(rows.tolist(), shown, strict=True)}
