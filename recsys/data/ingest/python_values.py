"""Python objects (of a JSON line, of a data frame's mixed column) as the text they stand for."""

import json
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.data.ingest.refusals import Faults, Reason, marked

EXACT_FLOATS = 2.0**53
"""Whole floats from here on may stand for a neighbouring number."""


def texts(values: Sequence[Any]) -> Any:
    """pyarrow BinaryArray (n,): text as it is, anything else as JSON spells it, None as null."""
    return pa.array([_text(value) for value in values], pa.binary())


def ids(values: Sequence[Any]) -> tuple[Any, Faults | None]:
    """pyarrow BinaryArray (n,), and the faults of those that are no ids.

    Text is an id as it is, a whole number by its digits (12.0 is 12: so writes whoever had a missing one);
    None and NaN are null. Anything else is refused.
    """
    not_text = np.array([not _is_id(value) for value in values], np.bool_)
    column = [None if bad else _id(value) for value, bad in zip(values, not_text, strict=True)]
    return pa.array(column, pa.binary()), marked((not_text, Reason.ID_NOT_TEXT))


def _is_id(value: Any) -> bool:
    if isinstance(value, float | np.floating):
        return value != value or (float(value).is_integer() and abs(float(value)) < EXACT_FLOATS)
    return value is None or (isinstance(value, str | bytes | int | np.integer) and not isinstance(value, bool))


def _id(value: Any) -> bytes | None:
    if isinstance(value, float | np.floating):
        return None if value != value else str(int(value)).encode()
    return _text(value)


def _text(value: Any) -> bytes | None:
    if value is None or isinstance(value, bytes):
        return value
    value = value.item() if isinstance(value, np.generic) else value
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return _encoded(text)


def _encoded(text: str) -> bytes:
    """UTF-8, with the bytes put back that were none, and with lone surrogates, which stay invalid."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
