"""Casts of pyarrow arrays that leave null what cannot be cast, where pyarrow would refuse the whole array."""

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

_NUMBER = r"^[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|(?i:nan|inf|infinity))$"


def cast_or_null(column: Any, kind: Any) -> Any:
    """`column` as `kind`; whatever value cannot be cast is null. Quick where few cannot: it halves until it knows."""
    try:
        return column.cast(kind)
    except pa.ArrowInvalid:
        if len(column) == 1:
            return pa.nulls(1, kind)
        middle = len(column) // 2
        return pa.concat_arrays([cast_or_null(column[:middle], kind), cast_or_null(column[middle:], kind)])


def as_text(column: Any) -> Any | None:
    """The strings of a column of text or bytes, not checked to be UTF-8; None where it holds something else."""
    if pa.types.is_dictionary(column.type):
        column = column.dictionary_decode()
    if pa.types.is_binary(column.type):
        return column.view(pa.string())
    textual = pa.types.is_large_binary(column.type) or pa.types.is_string_view(column.type)
    if textual or pa.types.is_string(column.type) or pa.types.is_large_string(column.type):
        return column.cast(pa.binary()).view(pa.string())
    return None


def is_blank(text: Any) -> Any:
    """pyarrow BooleanArray (n,): nothing, or nothing but white space."""
    return pc.fill_null(pc.equal(pc.binary_length(pc.ascii_trim_whitespace(text)), 0), True)


def numbers(text: Any) -> Any:
    """float64 (n,) of a pyarrow string array; null where a text is not a number, whatever stands around it."""
    try:
        return text.cast(pa.float64())
    except pa.ArrowInvalid:
        return cast_or_null(only(text, _NUMBER), pa.float64())


def only(text: Any, pattern: str) -> Any:
    """The texts without white space around them, null where they do not match a regular expression."""
    trimmed = pc.ascii_trim_whitespace(text)
    # Bytes, because the pattern must not stumble over what is not UTF-8.
    matches = pc.match_substring_regex(trimmed.view(pa.binary()), pattern)
    return pc.if_else(matches, trimmed, pa.scalar(None, pa.string()))


def mask(flags: Any) -> NDArray[np.bool_]:
    """bool (n,) of a pyarrow BooleanArray without nulls; the caller's own to change."""
    return np.array(flags.to_numpy(zero_copy_only=False), np.bool_)
