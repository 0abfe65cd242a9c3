"""JSON-lines files as blocks of raw rows, every row with its line number."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from itertools import chain, islice
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.json as pa_json

from recsys.data.ingest import python_values
from recsys.data.ingest.raw_rows import (
    EVENT,
    ITEM,
    ITEM_ID,
    TIMESTAMP,
    USER,
    VALUE,
    Blocks,
    RawRows,
    Wanted,
    one_array,
)
from recsys.data.ingest.refusals import Faults, Reason, first_fault, marked
from recsys.data.ingest.text_blocks import LF, Advance, Bytes, TextBlock, last_feed, text_blocks

_SAMPLE_LINES = 1000
_LONGEST_TEXT = 500
_MOST_BRACKETS = 1000
_FIRST_OBJECT = re.compile(rb"[ \t\r]*+\{")
_NO_OBJECT = re.compile(rb"\n[ \t\r]*+[^{ \t\r]")
_NULL_AFTER_OBJECT = re.compile(rb"\}[ \t\r]*+null")
_ID_KEYS = frozenset((USER, ITEM, ITEM_ID))

Schema = dict[str, Any]
"""The pyarrow type of each wanted column, by its name."""


def jsonl_blocks(path: Path, wanted: Wanted, *, advance: Advance) -> Blocks:
    """The rows of a file of one JSON object a line. A key that a line lacks is null; blank lines are no rows.

    Raises DataError where none of the first thousand lines has a wanted key, or the file is damaged.
    """
    blocks = text_blocks(path, _end_of_lines, advance=advance)
    first = next(blocks)
    wanted.places(str(path), _keys(first.data.tobytes()))
    return (partial(_parse, block, path, wanted) for block in chain([first], blocks))


def _end_of_lines(data: Bytes) -> int:
    return last_feed(data, len(data)) + 1


def _keys(data: bytes) -> list[str]:
    """Every key of the first lines, in the order they come up."""
    return list(dict.fromkeys(key for row in _sample(data) for key in row))


def _sample(data: bytes) -> Iterator[Mapping[str, Any]]:
    """The objects in the first lines; lines that hold none are passed over."""
    for line in islice(_lines(data), _SAMPLE_LINES):
        row = _loaded(line)
        if row is not None:
            yield row


def _lines(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        end = data.index(b"\n", start)
        yield data[start:end]
        start = end + 1


def _loaded(line: bytes) -> Mapping[str, Any] | None:
    """The object a line holds, {} for null, None where it holds no object."""
    try:
        row = json.loads(line.decode("utf-8", "surrogateescape"))
    except (ValueError, RecursionError):
        return None
    return {} if row is None else row if isinstance(row, dict) else None


def _parse(block: TextBlock, path: Path, wanted: Wanted) -> RawRows:
    data = block.data.tobytes()
    schema = _schema(data, wanted)
    if schema is None or not _is_safe(data):
        return _parse_by_line(block, path, wanted)
    try:
        table = _read(data, schema)
    except pa.ArrowInvalid:
        return _parse_by_line(block, path, wanted)
    if table.num_rows != block.n_lines:
        return _parse_by_line(block, path, wanted)
    columns = {key: _bytes(one_array(table.column(name))) for key, name in wanted.columns.items()}
    return RawRows(str(path), columns, np.arange(table.num_rows, dtype=np.int64) + block.first_line)


def _bytes(column: Any) -> Any:
    """Text as bytes, because pyarrow does not check that it is UTF-8."""
    return column.view(pa.binary()) if pa.types.is_string(column.type) else column


def _is_safe(data: bytes) -> bool:
    """Whether every line starts an object, none is `null`, and none nests deeply: at the latter pyarrow crashes."""
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


def _schema(data: bytes, wanted: Wanted) -> Schema | None:
    """Each column's type by its first value in the block; None where no type fits."""
    rows = list(_sample(data))
    values = {name: next((row[name] for row in rows if row.get(name) is not None), "") for name in _names(wanted)}
    schema = {name: _type(key, values[name]) for key, name in wanted.columns.items()}
    return None if None in schema.values() else schema


def _names(wanted: Wanted) -> set[str]:
    return set(wanted.columns.values())


def _type(key: str, value: Any) -> Any:
    """Numbers that may be ids must be whole to be read as such: floats among them are looked at one by one."""
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


def _parse_by_line(block: TextBlock, path: Path, wanted: Wanted) -> RawRows:
    """The slow way, for blocks that hold something pyarrow does not take."""
    filled = [(number, line) for number, line in enumerate(_lines(block.data.tobytes())) if line.strip()]
    rows = [_loaded(line) for _, line in filled]
    bad = np.array([row is None for row in rows], np.bool_)
    columns, faults = _columns([row or {} for row in rows], wanted)
    texts = {
        int(at): filled[at][1][:_LONGEST_TEXT].decode("utf-8", "replace") for at in np.flatnonzero(bad)[: wanted.keep]
    }
    lines = np.array([number for number, _ in filled], np.int64) + block.first_line
    return RawRows(str(path), columns, lines, first_fault(marked((bad, Reason.BAD_JSON)), faults), texts)


def _columns(rows: Sequence[Mapping[str, Any]], wanted: Wanted) -> tuple[dict[str, Any], Faults | None]:
    columns: dict[str, Any] = {}
    faults: Faults | None = None
    for key, name in wanted.columns.items():
        values = [row.get(name) for row in rows]
        if key in _ID_KEYS:
            columns[key], struck = python_values.ids(values)
            faults = first_fault(faults, struck)
        else:
            columns[key] = python_values.texts(values)
    return columns, faults
