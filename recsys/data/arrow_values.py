"""Python values as a pyarrow array, made of buffers, because `pa.array` imports pandas."""

from collections.abc import Sequence
from datetime import date, datetime
from typing import Any, cast

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

_DAY_0, _TIME_0 = date(1970, 1, 1), datetime(1970, 1, 1)  # times here are in UTC and name no zone


def array_of(values: Sequence[object], kind: pa.DataType) -> pa.Array:
    """`values` (n,) of the column type `kind`; None is null.

    Texts, whole numbers, numbers, truth values, days, times in UTC without a zone and lists of texts, each as Python
    has it. Raises ValueError, TypeError or OverflowError if a value does not fit.
    """
    if pa.types.is_list(kind):
        return _lists(cast(Sequence[Any], values), kind)
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return _texts(cast(Sequence[Any], values)).cast(kind)
    known = np.array([value is not None for value in values], np.bool_)
    if pa.types.is_boolean(kind):
        data = np.packbits(np.array([*map(bool, values)], np.bool_), bitorder="little")
    else:
        plain = [0 if value is None else _plain(value) for value in values]
        data = np.array(plain, f"{'f' if pa.types.is_floating(kind) else 'i'}{kind.bit_width // 8}")
    return pa.Array.from_buffers(kind, len(values), [_validity(known), pa.py_buffer(data.tobytes())])


def positions_array(positions: NDArray[np.integer]) -> pa.Array:
    """Positions (n,) as an int64 array."""
    plain = np.ascontiguousarray(positions, np.int64)
    return pa.Array.from_buffers(pa.int64(), len(plain), [None, pa.py_buffer(plain)])


def _plain(value: Any) -> int | float:
    if isinstance(value, datetime):
        return (value - _TIME_0) // (datetime.resolution)
    return (value - _DAY_0).days if isinstance(value, date) else value


def _texts(values: Sequence[str | None]) -> pa.Array:
    encoded = [b"" if value is None else value.encode() for value in values]
    known = np.array([value is not None for value in values], np.bool_)
    data = [_validity(known), _ends([len(each) for each in encoded]), pa.py_buffer(b"".join(encoded))]
    return pa.Array.from_buffers(pa.string(), len(values), data)


def _lists(values: Sequence[Sequence[str] | None], kind: pa.DataType) -> pa.Array:
    known = np.array([value is not None for value in values], np.bool_)
    members = _texts([member for value in values for member in value or ()]).cast(kind.value_type)
    ends = _ends([len(value or ()) for value in values])
    return pa.Array.from_buffers(kind, len(values), [_validity(known), ends], children=[members])


def _ends(lengths: Sequence[int]) -> pa.Buffer:
    return pa.py_buffer(np.cumsum([0, *lengths]).astype(np.int32).tobytes())


def _validity(known: NDArray[np.bool_]) -> pa.Buffer:
    return pa.py_buffer(np.packbits(known, bitorder="little").tobytes())
