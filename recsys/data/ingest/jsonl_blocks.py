"""JSON-lines files as batches of raw rows, every row with its line number."""

import json
import re
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from itertools import chain, islice

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json
from numpy.typing import NDArray

from recsys.config import FileFormat
from recsys.data.arrow_file import one_array
from recsys.data.ingest.columns import ids_of, texts_of
from recsys.data.ingest.expansion import ExpansionLimit
from recsys.data.ingest.file_parts import TextPart
from recsys.data.ingest.input_files import InputFile
from recsys.data.ingest.json_array import ElementLines
from recsys.data.ingest.json_layout import (
    JsonLayout,
    Object,
    json_layout,
    loaded,
    without_brackets,
)
from recsys.data.ingest.odd_lines import no_rows, overlong_row, without_blank_lines
from recsys.data.ingest.recoding import Recode, recoding
from recsys.data.ingest.record_blocks import LF, Bytes, TextBlock, last_feed
from recsys.data.ingest.refusals import NO_FAULT, Faults, Reason, first_fault, marked
from recsys.data.ingest.source import (
    EVENT,
    ITEM,
    ITEM_ID,
    LONGEST_TEXT,
    TIMESTAMP,
    USER,
    VALUE,
    Batches,
    Columns,
    LineCounts,
    RawBatch,
)
from recsys.data.ingest.text_blocks import BLOCK_BYTES, Advance, start_of_text, text_blocks

_START_BYTES = 1 << 16
_SAMPLE_LINES = 1000
_SAMPLE_BYTES = 32 << 20
_ONE_OBJECT = "; the file is one object; expected one object per line, or an array of objects"
_NO_OBJECTS = "; the first lines are no JSON objects; expected one object per line, or an array of objects"
_MOST_BRACKETS = 1000
_FIRST_OBJECT = re.compile(rb"[ \t\r]*+\{")
_NO_OBJECT = re.compile(rb"\n[ \t\r]*+[^{ \t\r]")
_MAY_BE_OBJECT = re.compile(rb'[ \t\r]*+(?:\{[ \t\r]*+["}]|null)')
_NULL_AFTER_OBJECT = re.compile(rb"\}[ \t\r]*+null")
_SHORTEST_LINE = len('{"a":1}\n')
"""Bytes per line, below which many lines must be blank, or damaged."""
_ID_KEYS = frozenset((USER, ITEM, ITEM_ID))

Schema = dict[str, pa.DataType]
"""The pyarrow type of each column to read, by its name."""


def jsonl_blocks(
    path: InputFile,
    columns: Columns,
    layout: FileFormat,
    *,
    advance: Advance,
    block_bytes: int = BLOCK_BYTES,
    part: TextPart | None = None,
) -> Batches:
    """The rows of a file of one JSON object per line, or of an array of objects.

    Objects that span lines may follow each other without an array. A key that an object lacks is null. Blank lines
    are skipped, and so are the commas and brackets of an array that has one object per line. The objects of another
    array are numbered from 1; they have no lines. `part`: the rows of that part alone, of a file with a line per row.
    Raises DataError if none of the first thousand lines has a key of `columns`, or the file is damaged.
    """
    how = json_layout(start_of_text(path, layout.encoding, _START_BYTES))
    read = partial(
        text_blocks,
        path,
        _end_of_lines,
        advance=advance,
        encoding=layout.encoding,
        recode=_recode(layout, how),
        section=columns.section,
        block_bytes=block_bytes,
        limit=ExpansionLimit.of(layout, columns.section),
    )
    goes_on = part is not None and part.start > 0
    blocks = read(part=None if goes_on else part)
    if how is JsonLayout.LINES_OF_ARRAY:
        blocks = map(without_brackets, blocks)
    first, keys = _first_blocks(blocks, set(columns.names.values()))
    found = columns.places(str(path), keys, advice=_advice(first, keys))
    columns = replace(columns, names={key: columns.names[key] for key in found})
    rows = read(part=part) if goes_on else chain(first, blocks)
    return (partial(_parse, block, path, columns, layout.decimal) for block in rows)


def _advice(first: Sequence[TextBlock], keys: Sequence[str]) -> str:
    if not keys:
        return _NO_OBJECTS
    return _ONE_OBJECT if sum(block.n_lines for block in first) == 1 else ""


def _recode(layout: FileFormat, how: JsonLayout) -> Recode | None:
    decode = recoding(layout.encoding, None)
    if how is not JsonLayout.ARRAY:
        return decode
    lines = ElementLines()
    return lines if decode is None else lambda data, final: lines(decode(data, final), final)


def _first_blocks(blocks: Iterator[TextBlock], names: set[str]) -> tuple[list[TextBlock], list[str]]:
    """The blocks with the first lines, and every key in these, in order of first occurrence."""
    first: list[TextBlock] = []
    keys: dict[str, None] = {}
    n_lines = n_bytes = 0
    for block in blocks:
        first.append(block)
        n_bytes += len(block.data)
        keys.update(
            dict.fromkeys(key for row in _sample(block.data.tobytes(), _SAMPLE_LINES - n_lines) for key in row)
        )
        n_lines += block.n_lines
        if n_lines >= _SAMPLE_LINES or n_bytes >= _SAMPLE_BYTES or names <= keys.keys():
            break
    return first, list(keys)


def _end_of_lines(data: Bytes) -> int:
    return last_feed(data, len(data)) + 1


def _sample(data: bytes, n_lines: int = _SAMPLE_LINES) -> Iterator[Object]:
    """The objects in the first lines; lines without an object are skipped."""
    for line in islice(_lines(data), n_lines):
        row = loaded(line)
        if row is not None:
            yield row


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.index(b"\n", start)
        yield data[start:end]
        start = end + 1


def _parse(block: TextBlock, path: InputFile, columns: Columns, decimal: str) -> RawBatch:
    if block.is_overlong:
        return overlong_row(block, path, columns.names)
    if block.is_blank:
        return no_rows(path, columns.names, n_blank=block.n_lines)
    return replace(_parsed_block(block, path, columns), decimal=decimal)


def _parsed_block(block: TextBlock, path: InputFile, columns: Columns) -> RawBatch:
    lines = np.arange(block.first_line, block.first_line + block.n_lines, dtype=np.int64)
    dense = block.n_lines * _SHORTEST_LINE > len(block.data)
    parsed = None if dense else _parsed_quickly(block.data.tobytes(), columns, n_lines=len(lines))
    if parsed is None:
        data, lines = without_blank_lines(block)
        shorter = dense or len(data) < len(block.data)
        parsed = _parsed_quickly(data.tobytes(), columns, n_lines=len(lines)) if shorter else None
    if parsed is None:
        return _parse_by_line(block, path, columns)
    rows = RawBatch.of(str(path), parsed, lines)
    return replace(rows, lines=LineCounts(blank=block.n_lines - len(lines)))


def _parsed_quickly(data: bytes, columns: Columns, *, n_lines: int) -> dict[str, pa.Array] | None:
    """The columns of lines that pyarrow can parse; None if it cannot."""
    schema = _schema(data, columns) if n_lines else None
    if schema is None or not _is_safe(data):
        return None
    try:
        table = _read(data, schema)
    except pa.ArrowInvalid:
        return None
    if table.num_rows != n_lines:
        return None
    return {key: _bytes(one_array(table.column(name))) for key, name in columns.names.items()}


def _bytes(column: pa.Array) -> pa.Array:
    """Text as bytes, because pyarrow does not check that it is UTF-8."""
    return column.view(pa.binary()) if pa.types.is_string(column.type) else column


def _is_safe(data: bytes) -> bool:
    """Whether every line starts an object, none is `null`, and none nests deeply (pyarrow crashes on those)."""
    starts = _FIRST_OBJECT.match(data) and not _NO_OBJECT.search(data) and not _NULL_AFTER_OBJECT.search(data)
    return bool(starts) and not _may_nest_deeply(data)


def _may_nest_deeply(data: bytes) -> bool:
    """Whether a line opens so many brackets that a recursive parser may run out of stack."""
    text = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero(text == LF)
    if np.diff(ends, prepend=-1).max() <= _MOST_BRACKETS:
        return False
    brackets = ((text == ord("[")) | (text == ord("{"))).astype(np.int32)
    return bool(np.add.reduceat(brackets, np.concatenate([[0], ends[:-1] + 1])).max() > _MOST_BRACKETS)


def _schema(data: bytes, columns: Columns) -> Schema | None:
    """Each column's type by its first value in the block; None if no type fits."""
    rows = list(_sample(data))
    values = {
        name: next((row[name] for row in rows if row.get(name) is not None), "")
        for name in set(columns.names.values())
    }
    schema = {name: _type(key, values[name]) for key, name in columns.names.items()}
    return None if None in schema.values() else schema


def _type(key: str, value: object) -> pa.DataType | None:
    """The type for a first value; None if the block must be parsed line by line, as for floats in a column of ids."""
    if isinstance(value, str):
        return pa.string()
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if key in (TIMESTAMP, VALUE):
        return pa.float64()
    if isinstance(value, int):
        return pa.int64()
    return None if key in _ID_KEYS or key == EVENT else pa.float64()


def _read(data: bytes, schema: Schema) -> pa.Table:
    return pa_json.read_json(
        pa.BufferReader(data),
        read_options=pa_json.ReadOptions(use_threads=False, block_size=len(data) + 1),
        parse_options=pa_json.ParseOptions(
            explicit_schema=pa.schema(list(schema.items())), unexpected_field_behavior="ignore"
        ),
    )


def _parse_by_line(block: TextBlock, path: InputFile, columns: Columns) -> RawBatch:
    """The slow way, for blocks that pyarrow cannot parse."""
    filled = [(number, line) for number, line in enumerate(_lines(block.data.tobytes())) if line.strip()]
    rows = [_row(line, columns) for _, line in filled]
    bad = np.array([row is None for row in rows], np.bool_)
    parsed, found = _parsed([row for row in rows if row is not None], columns)
    place = pa.array(np.cumsum(~bad) - 1, mask=bad)
    texts = {
        int(at): filled[at][1][:LONGEST_TEXT].decode("utf-8", "replace") for at in np.flatnonzero(bad)[: columns.keep]
    }
    lines = np.array([number for number, _ in filled], np.int64) + block.first_line
    faults = first_fault(marked((bad, Reason.BAD_JSON)), _spread(found, bad))
    taken = {key: column.take(place) for key, column in parsed.items()}
    rows_read = RawBatch.of(str(path), taken, lines, faults=faults, texts=texts)
    return replace(rows_read, lines=LineCounts(blank=block.n_lines - len(filled)))


def _spread(faults: Faults | None, left_out: NDArray[np.bool_]) -> Faults | None:
    """The faults of rows among others that were left out."""
    if faults is None:
        return None
    spread = np.full(len(left_out), NO_FAULT)
    spread[~left_out] = faults
    return spread


def _row(line: bytes, columns: Columns) -> Object | None:
    """The columns of the object a line holds; None if it holds none, or gives one of them twice."""
    row = loaded(line) if _MAY_BE_OBJECT.match(line) else None
    if row is None:
        return None
    names = (b'"%s"' % name.encode() for name in columns.names.values())
    twice = any(line.count(name) > 1 for name in names) and _gives_twice(line, columns)
    return None if twice else _only_columns(row, columns)


def _only_columns(row: Object, columns: Columns) -> Object:
    """A row without the keys that are not read, which may take more memory than the text."""
    return {name: row[name] for name in columns.names.values() if name in row}


def _gives_twice(line: bytes, columns: Columns) -> bool:
    """Whether an object gives two values for one of `columns`."""
    twice: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> Object:
        found = [name for name, _ in pairs]
        twice[:] = [name for name in columns.names.values() if found.count(name) > 1]  # the outermost object is last
        return dict(pairs)

    try:
        json.loads(line.decode("utf-8", "surrogateescape").rstrip(" \t\r,"), object_pairs_hook=note)
    except (ValueError, RecursionError):
        return False
    return bool(twice)


def _parsed(rows: Sequence[Object], columns: Columns) -> tuple[dict[str, pa.Array], Faults | None]:
    parsed: dict[str, pa.Array] = {}
    faults: Faults | None = None
    for key, name in columns.names.items():
        values = [row.get(name) for row in rows]
        if key in _ID_KEYS:
            parsed[key], found = ids_of(values)
            faults = first_fault(faults, found)
        else:
            parsed[key] = texts_of(values)
    return parsed, faults
