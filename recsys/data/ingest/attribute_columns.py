"""Columns of a catalogue, of any type, as the few types that attributes have."""

import json

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.ingest.columns import as_text, cast_or_null, is_blank

_FIRST, _LAST = -62_135_596_800_000_000, 253_402_300_799_999_999
"""Microseconds since 1970 of the years 1 to 9999, which Python's dates have."""


def plain_column(column: pa.Array) -> pa.Array:
    """The column as text, int64, float64, bool, date32, timestamp[us] in UTC or lists of text; null is unknown.

    Blank text and NaN are unknown. What none of these types holds, such as objects and lists of lists, is JSON text.
    """
    column = _unwrapped(column)
    kind, text = column.type, as_text(column)
    if text is not None:
        return decoded(pc.if_else(is_blank(text), pa.scalar(None, pa.string()), text))
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return _without_nan(column.cast(pa.float64(), safe=False))
    if pa.types.is_integer(kind):
        return _whole(column)
    if pa.types.is_date(kind):
        return in_range(column.cast(pa.timestamp("us"), safe=False)).cast(pa.date32())
    if pa.types.is_timestamp(kind):
        return in_range(_micros(column))
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return column if _is_plain_list(column) else _lists(column)
    return column if pa.types.is_boolean(kind) else _spelled(column)


def as_texts(column: pa.Array) -> pa.StringArray:
    """The values of a plain column as text; lists as JSON."""
    return _spelled(column) if pa.types.is_list(column.type) else column.cast(pa.string())


def decoded(text: pa.StringArray) -> pa.StringArray:
    """Bytes that are not UTF-8 are replaced by U+FFFD, because a damaged title is better than none."""
    checked = cast_or_null(text.view(pa.binary()), pa.string())
    if checked.null_count == text.null_count:
        return checked
    shown = [
        None if value is None else value.decode("utf-8", "replace") for value in text.view(pa.binary()).to_pylist()
    ]
    return pa.array(shown, pa.string())


def _unwrapped(column: pa.Array) -> pa.Array:
    """The values of a dictionary or of runs; Arrow's own extensions as their values."""
    if pa.types.is_dictionary(column.type):
        return _unwrapped(column.dictionary_decode())
    if pa.types.is_run_end_encoded(column.type):
        return _unwrapped(pc.run_end_decode(column))
    return column


def _without_nan(numbers: pa.DoubleArray) -> pa.DoubleArray:
    return pc.if_else(pc.is_nan(numbers), pa.scalar(None, pa.float64()), numbers)


def _whole(column: pa.Array) -> pa.Array:
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:  # above the range of int64
        return column.cast(pa.float64(), safe=False)


def _micros(column: pa.Array) -> pa.TimestampArray:
    """Microseconds since 1970, UTC."""
    target = pa.timestamp("us", column.type.tz)
    finer = column.type.unit == "ns"
    found = column.cast(target, safe=False) if finer else cast_or_null(column, target)
    return found.cast(pa.int64()).cast(pa.timestamp("us"))


def in_range(times: pa.TimestampArray) -> pa.TimestampArray:
    """Times in microseconds; null outside the years 1 to 9999."""
    micros = times.cast(pa.int64())
    known = pc.and_(pc.greater_equal(micros, _FIRST), pc.less_equal(micros, _LAST))
    return pc.if_else(known, times, pa.scalar(None, pa.timestamp("us")))


def _is_plain_list(column: pa.Array) -> bool:
    return bool(column.type == pa.list_(pa.string())) and not column.flatten().null_count


def _lists(column: pa.Array) -> pa.Array:
    """Lists of the members' texts, without those that are null; lists of objects or lists as JSON text."""
    members = plain_column(column.flatten())
    if pa.types.is_nested(column.type.value_type) and column.type.value_type != pa.null():
        return _spelled(column)
    members, parents = as_texts(members), pc.list_parent_indices(column)
    known = members.is_valid()
    lengths = np.bincount(parents.filter(known).to_numpy(), minlength=len(column))
    ends = pa.array(np.cumsum([0, *lengths]), pa.int32())
    return pa.ListArray.from_arrays(ends, members.filter(known), mask=column.is_null())


def _spelled(column: pa.Array) -> pa.StringArray:
    return decoded(pa.array([_text(value) for value in column.to_pylist()], pa.binary()).view(pa.string()))


def _text(value: object) -> bytes | None:
    """Objects and lists as JSON, bytes as they are, anything else as Python writes it."""
    if value is None or isinstance(value, bytes):
        return value
    text = json.dumps(value, ensure_ascii=False, default=str) if isinstance(value, dict | list) else str(value)
    return text.encode("utf-8", "replace")
