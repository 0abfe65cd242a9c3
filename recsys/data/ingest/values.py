"""The value column: text and numbers to finite float32."""

from typing import Any

import numpy as np
import pyarrow as pa

from recsys.data.arrays import Floats
from recsys.data.ingest.casting import as_text, is_blank, mask, numbers
from recsys.data.ingest.refusals import Faults, Reason, marked


def read_values(column: Any, *, net: bool) -> tuple[Floats, Faults | None]:
    """float32 (n,), and what is wrong with which row. `column`: pyarrow Array (n,) of text or numbers.

    Values must be finite and above zero as float32; with `net` also below zero.
    """
    text = as_text(column)
    missing = mask(column.is_null() if text is None else is_blank(text))
    parsed = _parsed(column, text)
    known = mask(parsed.is_valid())
    with np.errstate(over="ignore", under="ignore"):
        values = np.where(known, parsed.to_numpy(zero_copy_only=False), 1).astype(np.float32)
    return values, marked(
        (missing, Reason.MISSING_VALUE),
        (~known & ~missing, Reason.BAD_VALUE),
        (~np.isfinite(values), Reason.NON_FINITE_VALUE),
        (values == 0 if net else values <= 0, Reason.NON_POSITIVE_VALUE),
    )


def _parsed(column: Any, text: Any | None) -> Any:
    """float64 (n,), null where there is no number."""
    if text is not None:
        return numbers(text)
    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if numeric or pa.types.is_boolean(kind):
        return column.cast(pa.float64(), safe=False)
    return pa.nulls(len(column), pa.float64())
