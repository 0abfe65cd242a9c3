"""Columns of any type, and Python objects, as text, numbers or null."""

import json
from collections.abc import Sequence
from datetime import date, time
from decimal import Decimal
from typing import Any
from uuid import UUID

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.ingest.refusals import Faults, Reason, marked

EXACT_FLOATS = 2.0**53
"""From here on, neighbouring whole numbers may have the same float64."""

FIRST_INEXACT = {"halffloat": 2.0**11, "float": 2.0**24, "double": EXACT_FLOATS}
"""The same for each floating type, by its name in Arrow."""

_FLOATS: dict[type, str] = {np.float16: "halffloat", np.float32: "float"}
_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:nan|inf|infinity))$"


def cast_or_null(column: pa.Array, kind: pa.DataType) -> pa.Array:
    """`column` as `kind`; a value that cannot be cast is null. It finds those by bisection, fast if they are few."""
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, kind)
        middle = len(column) // 2
        return pa.concat_arrays([cast_or_null(column[:middle], kind), cast_or_null(column[middle:], kind)])


def as_text(column: pa.Array) -> pa.StringArray | None:
    """The strings of a column of text or bytes, not checked to be UTF-8; None if it holds something else."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_binary(column.type):
        return column.view(pa.string())
    textual = pa.types.is_large_binary(column.type) or pa.types.is_string_view(column.type)
    if textual or pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.cast(pa.binary()).view(pa.string())
    return None


def is_blank(text: pa.StringArray) -> pa.BooleanArray:
    """(n,): null, empty, or nothing but white space."""
    return pc.fill_null(pc.equal(pc.binary_length(pc.ascii_trim_whitespace(text)), 0), True)


def numbers(text: pa.StringArray) -> pa.DoubleArray:
    """float64 (n,); null where a text is not a number. White space around a number is ignored."""
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:
        return cast_or_null(only(text, _NUMBER), pa.float64())


def with_decimal_point(column: pa.Array, decimal: str, *, no_points: bool = False) -> pa.Array:
    """A column of text whose decimal sign is `decimal`, with points; a column of another type as it is.

    `no_points`: a number with a point is no number, because the point may separate thousands.
    """
    text = None if decimal == "." else as_text(column)
    if text is None:
        return column
    text = pc.replace_substring(text.view(pa.binary()), ".", "_") if no_points else text.view(pa.binary())
    return pc.replace_substring(text, decimal, ".").view(pa.string())


def only(text: pa.StringArray, pattern: str) -> pa.StringArray:
    """The texts without white space around them, null where they do not match a regular expression."""
    trimmed = pc.ascii_trim_whitespace(text)
    # Matched as bytes, because text that is not UTF-8 would raise.
    matches = pc.match_substring_regex(trimmed.view(pa.binary()), pattern)
    return pc.if_else(matches, trimmed, pa.scalar(None, pa.string()))


def mask(flags: pa.BooleanArray) -> NDArray[np.bool_]:
    """bool (n,) of flags without nulls, as a copy."""
    return np.array(flags.to_numpy(zero_copy_only=False), np.bool_)


def texts_of(values: Sequence[object]) -> pa.BinaryArray:
    """(n,): text as it is, dates and times in ISO 8601, other objects as JSON, None as null."""
    return pa.array([_text(value) for value in values], pa.binary())


def ids_of(values: Sequence[object]) -> tuple[pa.BinaryArray, Faults | None]:
    """(n,), and the faults of values that are not ids.

    Text is kept as it is, a whole number becomes its digits (12.0 is 12, because a column with missing values
    becomes float), a UUID its text; None and NaN are null. Anything else is refused.
    """
    read = [_id(value) for value in values]
    column = pa.array([None if isinstance(each, Reason) else each for each in read], pa.binary())
    refused = (Reason.ID_NOT_TEXT, Reason.ID_LOST_DIGITS)
    return column, marked(*((np.array([each is reason for each in read], np.bool_), reason) for reason in refused))


def _id(value: object) -> bytes | Reason | None:
    """An id, None if it is missing, the reason if it is none. Reasons are texts too, but never bytes."""
    if isinstance(value, float | np.floating | Decimal):
        return _whole_id(value)
    if value is None or type(value).__name__ == "NAType":  # pandas.NA; the service does without pandas
        return None
    if isinstance(value, bool | np.bool_) or not isinstance(value, str | bytes | int | np.integer | UUID):
        return Reason.ID_NOT_TEXT
    return _text(str(value) if isinstance(value, UUID) else value)


def _whole_id(number: float | np.floating[Any] | Decimal) -> bytes | Reason | None:
    if number != number:
        return None
    if number in (np.inf, -np.inf) or number != int(number):
        return Reason.ID_NOT_TEXT
    is_exact = isinstance(number, Decimal) or abs(float(number)) < FIRST_INEXACT[_FLOATS.get(type(number), "double")]
    return str(int(number)).encode() if is_exact else Reason.ID_LOST_DIGITS


def _text(value: object) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    value = value.item() if isinstance(value, np.generic) else value
    if isinstance(value, str):
        return _encoded(value)
    if isinstance(value, date | time):
        return value.isoformat().encode()
    if isinstance(value, UUID | Decimal):
        return str(value).encode()
    return _encoded(json.dumps(value, ensure_ascii=False, default=str))


def _encoded(text: str) -> bytes:
    """UTF-8; escaped bytes are restored, and lone surrogates stay as invalid bytes."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
