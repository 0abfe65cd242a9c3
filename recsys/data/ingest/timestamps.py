"""Times of events: text, numbers and typed columns to UTC seconds."""

import math
import re
from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.config import LogSchema
from recsys.data.arrays import Seconds
from recsys.data.ingest.columns import as_text, cast_or_null, is_blank, mask, numbers, only
from recsys.data.ingest.refusals import NO_FAULT, Faults, Reason, marked

EARLIEST, LATEST = 631_152_000, 4_102_444_800
"""Times from 1990-01-01 to before 2100-01-01 are accepted: UTC seconds."""

AUTO, ISO = "auto", "iso"
SKIPPED = "times that the clocks skip, read as the moment of the change"
REPEATED = "times that the clocks repeat, read as the first of the two"
"""Notes of `read_times`."""

_TICKS = {"s": 1, "ms": 1_000, "us": 1_000_000, "ns": 1_000_000_000}
_PER_SECOND = {unit: _TICKS[unit] for unit in ("s", "ms", "us", "ns")}
_SAMPLE_ROWS = 10_000
_PLAIN_NUMBER = re.compile(r"[+-]?[0-9.]+([eE][+-]?[0-9]+)?")

_DAY = r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])"
_CLOCK = r"([ T]([01]\d|2[0-3])(:[0-5]\d(:[0-5]\d(\.\d{1,9})?)?)?)"
_NAIVE = f"^{_DAY}{_CLOCK}?$"
_ZONED = f"^{_DAY}{_CLOCK}(Z|[+-]\\d\\d(:?[0-5]\\d)?)$"
_UTC = r"(?i)^(\d{4}-\d\d-\d\d)[T ](\d\d[\d:.]*?) ?(?:UTC|GMT|Z)$"
_SPACED_OFFSET = r"^(\d{4}-\d\d-\d\d)[Tt ](\d\d[\d:.]*?) ([+-]\d\d(?::?\d\d)?)$"
_LOWER_T = r"^(\d{4}-\d\d-\d\d)t"
_SPELLINGS = ((_UTC, r"\1T\2Z"), (_SPACED_OFFSET, r"\1T\2\3"), (_LOWER_T, r"\1T"))
"""Other spellings of ISO 8601, and what they become: "... UTC", "... +0000" after a space, t and z in lower case."""


@dataclass(frozen=True)
class TimeForm:
    """How a column's times are written.

    `unit`: of numbers, s, ms, us or ns; ISO for text; AUTO until it is detected. `format`: of text, as of strptime,
    None for ISO 8601. `timezone`: of times that name none, an IANA name.
    """

    unit: str = ISO
    format: str | None = None
    timezone: str = "UTC"

    @staticmethod
    def of(log: LogSchema) -> "TimeForm":
        """The form that a log's configuration names."""
        unit = ISO if log.timestamp is None or log.timestamp_format is not None else log.timestamp_unit
        return TimeForm(unit, log.timestamp_format, log.timezone)


def detect_unit(column: pa.Array) -> str | None:
    """The unit in which most of the column's first times lie between 1990 and 2099; None if there is none."""
    sample = column[:_SAMPLE_ROWS]
    hits = {unit: _n_good(sample, unit) for unit in (ISO, *_PER_SECOND)}
    best = max(hits, key=lambda unit: hits[unit])
    return best if hits[best] else None


def _n_good(column: pa.Array, unit: str) -> int:
    _, faults = read_times(column, TimeForm(unit))
    return len(column) if faults is None else int((faults == NO_FAULT).sum())


def unit_that_fits(text: str) -> str | None:
    """The unit in which a number written as `text` is a time from 1990 to 2099; None if there is none."""
    try:
        number = float(text) if _PLAIN_NUMBER.fullmatch(text.strip()) else math.nan
    except ValueError:
        return None
    return next((unit for unit, ticks in _PER_SECOND.items() if EARLIEST <= number / ticks < LATEST), None)


def read_times(
    column: pa.Array, form: TimeForm, *, latest: int = LATEST, notes: Counter[str] | None = None
) -> tuple[Seconds, Faults | None]:
    """UTC seconds, int64 (n,), and the faults of the rows; fractions of a second are cut off.

    `column`: (n,) of text, numbers, timestamps or dates; a typed column has its own unit. Times without a zone are
    those of `form.timezone`: an hour that the clocks repeat is the first of the two, and a time that they skip is
    the moment of the change. `latest`: UTC seconds; later times are in the future. `notes` counts such hours.
    """
    times, known = _seconds(column, form, Counter() if notes is None else notes)
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


def _seconds(column: pa.Array, form: TimeForm, notes: Counter[str]) -> tuple[Seconds, NDArray[np.bool_]]:
    """int64 (n,), and bool (n,): whether the value is a readable time."""
    unit = form.unit
    if pa.types.is_date(column.type):
        column = column.cast(pa.timestamp("s"))
    if pa.types.is_decimal(column.type):
        column = _from_decimal(column)
    text = as_text(column)
    if text is not None and form.format is not None:
        column = _formatted(text, form, notes)
    elif text is not None:
        column = _iso(text, form.timezone, notes) if unit == ISO else numbers(text)
    if pa.types.is_timestamp(column.type):
        column = _in_utc(column, form.timezone, notes)
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


def _from_decimal(column: pa.Array) -> pa.Array:
    """Whole numbers as int64 if all fit, else float64."""
    try:
        return column.cast(pa.int64())
    except pa.ArrowInvalid:
        return column.cast(pa.float64())


def _in_utc(column: pa.TimestampArray, timezone: str, notes: Counter[str]) -> pa.TimestampArray:
    """Times of a column with a zone as they are; those of one without are of `timezone`."""
    if column.type.tz is not None or timezone == "UTC":
        return column
    try:
        return pc.assume_timezone(column, timezone)
    except pa.ArrowInvalid:  # some times are in an hour that the clocks skip or repeat
        early, chosen, late = (
            pc.assume_timezone(column, timezone, ambiguous=ambiguous, nonexistent=skipped)
            for ambiguous, skipped in (("earliest", "earliest"), ("earliest", "latest"), ("latest", "latest"))
        )
    notes[SKIPPED] += pc.sum(pc.not_equal(early, chosen)).as_py() or 0
    notes[REPEATED] += pc.sum(pc.not_equal(chosen, late)).as_py() or 0
    return chosen


def _formatted(text: pa.StringArray, form: TimeForm, notes: Counter[str]) -> pa.TimestampArray:
    """UTC microseconds of text in a strptime format, null where it is not; pandas parses each distinct text once."""
    shown = cast_or_null(text.view(pa.binary()), pa.string()).to_pandas()
    zoned = "%z" in form.format or "%Z" in form.format if form.format else False
    import pandas as pd  # noqa: PLC0415  (the service does without)

    found = pd.to_datetime(shown.str.strip(), format=form.format, errors="coerce", utc=zoned)
    times = pa.array(found, from_pandas=True)
    return _in_utc(times.cast(pa.timestamp("us", times.type.tz), safe=False), form.timezone, notes)


def _iso(text: pa.StringArray, timezone: str, notes: Counter[str]) -> pa.TimestampArray:
    """UTC times of ISO 8601 text, null where it is not: microseconds, or nanoseconds if all the text has them."""
    if (times := _marked_utc(text)) is not None:
        return times
    for kind in (pa.timestamp("us"), pa.timestamp("us", "UTC"), pa.timestamp("ns"), pa.timestamp("ns", "UTC")):
        try:
            return _in_utc(text.cast(kind), timezone, notes)
        except pa.ArrowInvalid:
            continue
    text = _respelled(text)
    naive = _in_utc(_micros(only(text, _NAIVE), pa.timestamp("us")), timezone, notes)
    zoned = _micros(only(text, _ZONED), pa.timestamp("us", "UTC"))
    return pc.coalesce(*(times.cast(pa.timestamp("us", "UTC")) for times in (naive, zoned)))


def _marked_utc(text: pa.StringArray) -> pa.TimestampArray | None:
    """UTC microseconds if all texts are ISO 8601 and " UTC", as BigQuery writes; else None. Faster than patterns."""
    raw = text.view(pa.binary())
    if not pc.any(pc.ends_with(raw[:10], b" UTC")).as_py():
        return None
    if not pc.all(pc.match_substring_regex(raw, rb":\d\d(\.\d{1,6})? UTC$")).as_py():
        return None
    try:
        return pc.binary_replace_slice(raw, -4, 1 << 30, b"Z").view(pa.string()).cast(pa.timestamp("us", "UTC"))
    except pa.ArrowInvalid:
        return None


def _respelled(text: pa.StringArray) -> pa.StringArray:
    """The texts without white space around them, other spellings of ISO 8601 as the usual one."""
    raw = pc.ascii_trim_whitespace(text).view(pa.binary())
    for pattern, usual in _SPELLINGS:
        raw = pc.replace_substring_regex(raw, pattern, usual)
    return raw.view(pa.string())


def _micros(text: pa.StringArray, kind: pa.DataType) -> pa.TimestampArray:
    shortened = pc.replace_substring_regex(text, r"(\.\d{6})\d+", r"\1")
    return cast_or_null(shortened, kind).cast(pa.timestamp("us"))
