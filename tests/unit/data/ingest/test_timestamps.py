"""Times: every form that is read, and what is refused by which name."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason
from recsys.data.ingest.timestamps import (
    EARLIEST,
    LATEST,
    REPEATED,
    SKIPPED,
    TimeForm,
    detect_unit,
    read_times,
    unit_that_fits,
)

NOON = int(datetime(2009, 12, 1, 12, tzinfo=UTC).timestamp())


def read(column: pa.Array, unit: str) -> list[int | Reason]:
    """Each row's seconds, or the reason it is refused for."""
    times, faults = read_times(column, TimeForm(unit))
    assert times.dtype == np.int64
    struck = np.full(len(times), NO_FAULT) if faults is None else faults
    return [int(time) if number == NO_FAULT else REASONS[number] for time, number in zip(times, struck, strict=True)]


ISO = {
    "2009-12-01 12:00:00": NOON,
    "2009-12-01T12:00:00": NOON,
    "2009-12-01 12:00": NOON,
    "2009-12-01T12": NOON,
    "2009-12-01": NOON - 43_200,
    "2009-12-01 12:00:00.999": NOON,
    "2009-12-01 12:00:00.999999": NOON,
    "2009-12-01 12:00:00.999999999": NOON,
    "2009-12-01T12:00:00Z": NOON,
    "2009-12-01T14:00:00+02:00": NOON,
    "2009-12-01 12:00:00 UTC": NOON,
    "2009-12-01 12:00:00.123456 UTC": NOON,
    "2009-12-01T12:00:00 GMT": NOON,
    "2009-12-01 12:00 utc": NOON,
    "2009-12-01 12:00:00 Z": NOON,
    "2009-12-01t12:00:00z": NOON,
    "2009-12-01t12:00:00": NOON,
    "2009-12-01 12:00:00 +0000": NOON,
    "2009-12-01 14:00:00 +02:00": NOON,
    "2009-12-01 14:00:00.5 +02": NOON,
    "2009-12-01 UTC": Reason.BAD_TIME,
    "2009-12-01 12:00:00 CET": Reason.BAD_TIME,
    "2009-12-01 12:00:00 UTCZ": Reason.BAD_TIME,
    "2009-12-01T14:00:00.5+0200": NOON,
    "2009-12-01T05:30:00-06:30": NOON,
    "2009-12-01 14:00+02": NOON,
    " 2009-12-01 12:00:00 ": NOON,
    "": Reason.MISSING_TIME,
    "  ": Reason.MISSING_TIME,
    "yesterday": Reason.BAD_TIME,
    "2009-13-01": Reason.BAD_TIME,
    "2009-02-30": Reason.BAD_TIME,
    "2009-02-29 10:00:00": Reason.BAD_TIME,
    "2009-12-01 24:00:00": Reason.BAD_TIME,
    "12/01/2009 12:00": Reason.BAD_TIME,
    "1259668800": Reason.BAD_TIME,
    "1989-12-31 23:59:59": Reason.TIME_OUT_OF_RANGE,
    "1990-01-01": EARLIEST,
    "2099-12-31 23:59:59": LATEST - 1,
    "2100-01-01": Reason.TIME_OUT_OF_RANGE,
    "9999-12-31": Reason.TIME_OUT_OF_RANGE,
    "0001-01-01 00:00:00.123456789": Reason.TIME_OUT_OF_RANGE,
}


@pytest.mark.parametrize("text", ISO)
def test_iso_text_alone(text: str) -> None:
    assert read(pa.array([text]), "iso") == [ISO[text]]


def test_iso_text_of_all_kinds_mixed() -> None:
    assert read(pa.array(list(ISO)), "iso") == list(ISO.values())


@settings(max_examples=50, deadline=None)
@given(st.datetimes(datetime(1990, 1, 2), datetime(2099, 12, 30)), st.integers(-14 * 60, 14 * 60))
def test_any_zone_counts_as_python_counts(time: datetime, minutes: int) -> None:
    zoned = time.replace(tzinfo=timezone(timedelta(minutes=minutes)))
    expected = [int(time.replace(tzinfo=UTC).timestamp() // 1), int(zoned.timestamp() // 1)]
    assert read(pa.array([time.isoformat(), zoned.isoformat()]), "iso") == expected


@pytest.mark.parametrize(("unit", "factor"), [("s", 1), ("ms", 1_000), ("us", 1_000_000)])
def test_numbers_in_their_unit(unit: str, factor: int) -> None:
    ticks = [NOON * factor, NOON * factor + factor - 1, NOON, -1, 2**62]
    refused = Reason.TIME_OUT_OF_RANGE
    expected = [NOON, NOON, NOON if unit == "s" else refused, refused, refused]
    assert read(pa.array(ticks), unit) == expected
    assert read(pa.array([str(tick) for tick in ticks]), unit) == expected
    assert read(pa.array([float(NOON * factor), None, float("nan"), float("inf")]), unit) == [
        NOON, Reason.MISSING_TIME, Reason.BAD_TIME, refused,
    ]  # fmt: skip


def test_numbers_as_text() -> None:
    texts = ["1259668800.7", "1.2596688e9", "", "12x", " 1259668800"]
    assert read(pa.array(texts), "s") == [NOON, NOON, Reason.MISSING_TIME, Reason.BAD_TIME, NOON]


@pytest.mark.parametrize(
    "column",
    [
        *(pa.array([NOON], pa.timestamp("s")).cast(pa.timestamp(unit)) for unit in ("s", "ms", "us", "ns")),
        pa.array([NOON], pa.timestamp("s", "Europe/Berlin")),
    ],
    ids=lambda column: str(column.type),
)
@pytest.mark.parametrize("unit", ["iso", "us"])
def test_typed_times_tell_their_own_unit(column: pa.Array, unit: str) -> None:
    assert read(column, unit) == [NOON]
    assert read(pa.concat_arrays([column, pa.nulls(1, column.type)]), unit) == [NOON, Reason.MISSING_TIME]


def test_dates() -> None:
    for kind in (pa.date32(), pa.date64()):
        column = pa.array([date(2009, 12, 1), date(1812, 1, 1)], kind)
        assert read(column, "iso") == [NOON - 43_200, Reason.TIME_OUT_OF_RANGE]


def test_numbers_where_text_is_expected_and_no_times_at_all() -> None:
    assert read(pa.array([NOON]), "iso") == [Reason.BAD_TIME]
    assert read(pa.array([True]), "s") == [Reason.BAD_TIME]


@pytest.mark.parametrize(
    ("values", "unit"),
    [
        (["2009-12-01", "junk"], "iso"),
        ([str(NOON), "", "x"], "s"),
        ([NOON * 1000], "ms"),
        ([float(NOON * 10**6)], "us"),
        ([NOON * 10**9], "ns"),
        (["12/13/2009", "0"], None),
        ([None, None], None),
    ],
)
def test_the_unit_is_the_one_that_makes_sense_of_most(values: list[object], unit: str | None) -> None:
    assert detect_unit(pa.array(values)) == unit


def test_what_is_later_than_the_latest_lies_in_the_future() -> None:
    _, faults = read_times(pa.array([NOON, NOON + 1, LATEST]), TimeForm("s"), latest=NOON)
    assert faults is not None
    struck = [number if number == NO_FAULT else REASONS[number] for number in faults]
    assert struck == [NO_FAULT, Reason.IN_THE_FUTURE, Reason.TIME_OUT_OF_RANGE]


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (str(NOON), "s"),
        (f"{NOON}000", "ms"),
        (f"{NOON}000000", "us"),
        (f"{NOON}000000000", "ns"),
        (f"{NOON}.5", "s"),
        ("12", None),
        ("soon", None),
    ],
)
def test_the_unit_in_which_a_number_is_a_time(text: str, unit: str | None) -> None:
    assert unit_that_fits(text) == unit


def test_decimals_are_numbers() -> None:
    whole = pa.array([Decimal(NOON), None], pa.decimal128(38, 0))
    assert read(whole, "s") == [NOON, Reason.MISSING_TIME]
    assert read(pa.array([Decimal(f"{NOON}.75")], pa.decimal128(20, 2)), "s") == [NOON]


BERLIN = TimeForm(timezone="Europe/Berlin")


@pytest.mark.parametrize(
    ("local", "utc"),
    [
        ("2009-12-01 13:00:00", "2009-12-01T12:00:00"),
        ("2009-07-01 14:00:00", "2009-07-01T12:00:00"),
        ("2009-12-01T12:00:00Z", "2009-12-01T12:00:00"),
        ("2024-10-27 02:30:00", "2024-10-27T00:30:00"),  # occurs twice; the first is in summer time
        ("2024-10-27 03:00:00", "2024-10-27T02:00:00"),
        ("2024-03-31 02:30:00", "2024-03-31T01:00:00"),  # is skipped
        ("2024-03-31 03:00:00", "2024-03-31T01:00:00"),
    ],
)
def test_times_that_name_no_zone_are_those_of_the_timezone(local: str, utc: str) -> None:
    expected = int(datetime.fromisoformat(f"{utc}+00:00").timestamp())
    others = ["2009-12-01T12:00:00+01:00", "2009-12-01 13:00:00", "x"]
    for column in ([local], [local, *others]):
        assert read_times(pa.array(column), BERLIN)[0][0] == expected
    if not local.endswith("Z"):
        typed = pa.array([datetime.fromisoformat(local)], pa.timestamp("us"))
        assert read_times(typed, BERLIN)[0].tolist() == [expected]


def test_a_day_in_a_timezone_begins_at_its_midnight() -> None:
    for column in (pa.array(["2009-12-01"]), pa.array([date(2009, 12, 1)])):
        assert read_times(column, BERLIN)[0].tolist() == [NOON - 46_800]


@pytest.mark.parametrize(
    ("text", "form", "expected"),
    [
        ("01/12/2009 12:00", "%d/%m/%Y %H:%M", NOON),
        (" 12/1/2009 12:00 ", "%m/%d/%Y %H:%M", NOON),
        ("12/1/2009 12:00:00 PM", "%m/%d/%Y %I:%M:%S %p", NOON),
        ("20091201120000", "%Y%m%d%H%M%S", NOON),
        ("01.12.2009 14:00 +0200", "%d.%m.%Y %H:%M %z", NOON),
        ("01.12.2009 12:00:00.123456", "%d.%m.%Y %H:%M:%S.%f", NOON),
        ("31/12/2009", "%d/%m/%Y %H:%M", Reason.BAD_TIME),
        ("32/12/2009 12:00", "%d/%m/%Y %H:%M", Reason.BAD_TIME),
        ("", "%d/%m/%Y %H:%M", Reason.MISSING_TIME),
    ],
)
def test_times_in_a_form_of_their_own(text: str, form: str, expected: int | Reason) -> None:
    times, faults = read_times(pa.array([text, "x", None]), TimeForm(format=form))
    struck = [NO_FAULT] * 3 if faults is None else faults
    assert (int(times[0]) if struck[0] == NO_FAULT else REASONS[struck[0]]) == expected
    assert [REASONS[number] for number in struck[1:]] == [Reason.BAD_TIME, Reason.MISSING_TIME]


def test_a_form_of_its_own_may_name_no_zone() -> None:
    form = TimeForm(format="%d/%m/%Y %H:%M", timezone="Europe/Berlin")
    assert read_times(pa.array(["01/12/2009 13:00"]), form)[0].tolist() == [NOON]


@pytest.mark.parametrize("kind", ["text", "typed", "mixed"])
def test_hours_that_a_change_of_clocks_skips_or_repeats_are_counted(kind: str) -> None:
    texts = ["2023-03-26 02:30:00", "2023-10-29 02:30:00", "2023-10-29 02:59:59", "2023-07-01 12:00:00"]
    column = pa.array(texts)
    if kind == "typed":
        column = column.cast(pa.timestamp("s"))
    if kind == "mixed":
        column = pa.array([*texts, "2023-10-29T02:30:00+01:00"])
    notes = Counter[str]()
    read_times(column, BERLIN, notes=notes)
    assert notes == {SKIPPED: 1, REPEATED: 2}
    quiet = Counter[str]()
    read_times(column[3:], BERLIN, notes=quiet)
    read_times(column, TimeForm(), notes=quiet)
    assert not +quiet


@pytest.mark.parametrize("text", ["1_259_668_800", "\u0661259668800", "infinity", "1.2.3"])
def test_what_is_not_read_as_a_number_fits_no_unit(text: str) -> None:
    assert unit_that_fits(text) is None


@pytest.mark.parametrize("more", [[], [""], ["2009-12-01"], ["2009-12-01T12:00:00+02:00 UTC"], ["2009-12-01Z UTC"]])
def test_times_that_all_end_with_utc_are_read_as_any_of_them(more: list[str]) -> None:
    texts = ["2009-12-01 12:00:00 UTC", "2009-12-01 12:00:00.123456 UTC", None, *more]
    alone = [result for text in texts for result in read(pa.array([text], pa.string()), "iso")]
    assert read(pa.array(texts), "iso") == alone
    assert alone[:3] == [NOON, NOON, Reason.MISSING_TIME]
