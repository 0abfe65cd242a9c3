"""Attributes that are numbers, whatever they were stored as."""

from typing import Any

import pyarrow as pa
import pyarrow.compute as pc

from recsys.data.ingest.python_values import EXACT_FLOATS

_CODE = r"^-?0\d"
_WHOLE = r"^-?\d{1,18}(\.0+)?$"
_NUMBER = r"^-?\d+(\.\d+)?([eE][+-]?\d+)?$"


def as_numbers(column: Any) -> Any:
    """int64 or float64 where every known value of a column is a number, else the column as it is.

    Floats that are all whole are integers that once had gaps (2008.0). Text with leading zeros is a code, no number.
    """
    if column.null_count == len(column):
        return column
    if pa.types.is_floating(column.type):
        return column.cast(pa.int64()) if _all_whole(column) else column
    if not pa.types.is_string(column.type) or pc.any(pc.match_substring_regex(column, _CODE)).as_py():
        return column
    if _all_match(column, _WHOLE):
        return pc.replace_substring_regex(column, r"\.0+$", "").cast(pa.int64())
    return column.cast(pa.float64()) if _all_match(column, _NUMBER) else column


def _all_whole(numbers: Any) -> bool:
    whole = pc.and_(pc.equal(pc.floor(numbers), numbers), pc.less(pc.abs(numbers), EXACT_FLOATS))
    return bool(pc.all(whole).as_py())


def _all_match(text: Any, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(text, pattern)).as_py())
