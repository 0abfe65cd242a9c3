"""Times of events: text, numbers and typed columns to UTC seconds."""

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.data.arrays import Seconds
from recsys.data.ingest.columns import as_text, cast_or_null, is_blank, mask, numbers, only
from recsys.data.ingest.refusals import NO_FAULT, Faults, Reason, marked

EARLIEST, LATEST = 631_152_000, 4_102_444_800
"""Times from 1990-01-01 to before 2100-01-01 are accepted: UTC seconds."""

AUTO, ISO = "auto", "iso"
_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_PER_SECOND = {unit: _TICKS[unit] for unit in ("s", "ms", "us")}
_SAMPLE_ROWS = 10_000

_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([ T]([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d(\.\d{1,9})?)?)?)"
_NAIVE = f"^{_DAY}{_CLOCK}?$"
_ZONED = f"^{_DAY}{_CLOCK}(Z|[+-]\\d\\d(:?[0-5]\\d)?)$"
_FORMS = ((_NAIVE, pa.timestamp("us")), (_ZONED, pa.timestamp("us", "UTC")))


def detect_unit(column: pa.Array) -> str | None:
    """The unit in which most of the column's first times lie between 1990 and 2099; None if there is none."""
    sample = column[:_SAMPLE_ROWS]
    hits = {unit: _n_good(sample, unit) for unit in (ISO, *_PER_SECOND)}
    best = max(hits, key=lambda unit: hits[unit])
    return best if hits[best] else None


def _n_good(column: pa.Array, unit: str) -> int:
    _, faults = read_times(column, unit)
    return len(column) if faults is None else int((faults == NO_FAULT).sum())


def unit_that_fits(text: str) -> str | None:
    """The unit in which a number written as `text` is a time from 1990 to 2099; None if there is none."""
    try:
        number = float(text)
    except ValueError:
        return None
    return next((unit for unit, ticks in _PER_SECOND.items() if EARLIEST <= number / ticks < LATEST), None)


def read_times(column: pa.Array, unit: str, *, latest: int = LATEST) -> tuple[Seconds, Faults | None]:
    """UTC seconds, int64 (n,), and the faults of the rows; fractions of a second are cut off.

    `column`: (n,) of text, numbers, timestamps or dates. `unit`: iso, s, ms or us, for text and numbers; a typed
    column has its own. ISO 8601 text without a zone is UTC. `latest`: UTC seconds; later times are in the future.
    """
    times, known = _seconds(column, unit)
    missing = _missing(column) if not known.all() else np.zeros(len(column), np.bool_)
    return times, marked(
        (missing, Reason.MISSING_TIME),
        (~known & ~missing, Reason.BAD_TIME),
        ((times < EARLIEST) | (times >= LATEST), Reason.TIME_OUT_OF_RANGE),
        (times > latest, Reason.IN_THE_FUTURE),
    )


def _missing(column: pa.Array) -> NDArray[np.bool_]:
    text = as_text(column)
    return mask(column.is_null() if text is None else is_blank(text))


def _seconds(column: pa.Array, unit: str) -> tuple[Seconds, NDArray[np.bool_]]:
    """int64 (n,), and bool (n,): whether the value is a readable time."""
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    text = as_text(column)
    if text is not None:
        column = _iso(text) if unit == ISO else numbers(text)
    if pa.types.is_timestamp(column.type):
        return _whole(column.cast(pa.int64()), _TICKS[column.type.unit])
    if unit in _PER_SECOND and (pa.types.is_integer(column.type) or pa.types.is_floating(column.type)):
        return _whole(column, _PER_SECOND[unit])
    return np.zeros(len(column), np.int64), np.zeros(len(column), np.bool_)


def _whole(numbers: pa.Array, per_second: int) -> tuple[Seconds, NDArray[np.bool_]]:
    known = mask(numbers.is_valid())
    if pa.types.is_integer(numbers.type):
        return (numbers.fill_null(0).to_numpy() // per_second).astype(np.int64), known
    values = numbers.to_numpy(zero_copy_only=False)
    known &= ~np.isnan(values)
    seconds = np.floor(np.where(known, values, 0) / per_second)
    return np.clip(seconds, -(2.0**62), 2.0**62).astype(np.int64), known


def _iso(text: pa.StringArray) -> pa.TimestampArray:
    """Microseconds since 1970 of ISO 8601 text, null where it is not; nanoseconds if all the text has them."""
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return text.cast(kind)
        except pa.ArrowInvalid:
            continue
    naive, zoned = (_micros(only(text, pattern), kind) for pattern, kind in _FORMS)
    return pc.coalesce(naive, zoned)


def _micros(text: pa.StringArray, kind: pa.DataType) -> pa.TimestampArray:
    shortened = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    return cast_or_null(shortened, kind).cast(pa.timestamp("us"))
