"""Types of typed columns: those that warehouses write are read, the others are named before any row."""

import uuid
from decimal import Decimal
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import LogSchema
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_frame, read_log
from recsys.data.ingest.table_source import TableSource, source_of
from recsys.data.interactions import Interactions
from recsys.errors import DataError

LOG = LogSchema(timestamp="time", value="value")
START = 1_700_000_000
IDS = [uuid.UUID(int=number) for number in (1, 2, 1)]
GOOD: dict[str, Any] = {
    "user": pa.array(["a", "b", "a"]),
    "item": pa.array(["x", "x", "y"]),
    "time": pa.array([START, START + 1, START + 2]),
    "value": pa.array([1, 2, 3]),
}


def table(**columns: pa.Array) -> pa.Table:
    return pa.table(GOOD | columns)


def read(data: object) -> Interactions:
    events, counts = read_frame(data, LOG)
    assert counts.accepted == 3
    return events


def encoded(column: pa.Array) -> pa.Array:
    return column.dictionary_encode()


WHOLE = pa.array([Decimal(7), Decimal(8), Decimal(7)], pa.decimal128(38, 0))
TEXT = pa.array(["a", "b", "a"])
UUIDS = pa.ExtensionArray.from_storage(pa.uuid(), pa.array([each.bytes for each in IDS], pa.binary(16)))
READABLE = {
    "decimal": (WHOLE, ["7", "8"]),
    "dictionary": (encoded(TEXT), ["a", "b"]),
    "dictionary of numbers": (encoded(pa.array([7, 8, 7])), ["7", "8"]),
    "large string": (TEXT.cast(pa.large_string()), ["a", "b"]),
    "string view": (TEXT.cast(pa.string_view()), ["a", "b"]),
    "binary": (TEXT.cast(pa.binary()), ["a", "b"]),
    "large binary": (TEXT.cast(pa.large_binary()), ["a", "b"]),
    "fixed binary": (pa.array([b"aa", b"bb", b"aa"], pa.binary(2)), ["aa", "bb"]),
    "uuid": (UUIDS, [str(uuid.UUID(int=1)), str(uuid.UUID(int=2))]),
    "runs": (pa.RunEndEncodedArray.from_arrays(pa.array([1, 2, 3], pa.int32()), TEXT), ["a", "b"]),
}


@pytest.mark.parametrize("name", READABLE)
def test_ids_of_every_readable_type(name: str) -> None:
    column, ids = READABLE[name]
    assert read(table(user=column)).users.ids.to_pylist() == ids


@pytest.mark.parametrize("name", [name for name in READABLE if name not in ("runs", "string view")])
def test_the_same_from_parquet(name: str, tmp_path: Path) -> None:
    column, ids = READABLE[name]
    pq.write_table(table(user=column), tmp_path / "log.parquet")
    events, counts = read_log(FileSource((tmp_path / "log.parquet",)), LOG)
    assert (events.users.ids.to_pylist(), counts.accepted) == (ids, 3)


@pytest.mark.parametrize(
    "times",
    [
        pa.array([Decimal(START + second) for second in range(3)], pa.decimal128(38, 0)),
        encoded(GOOD["time"]),
        encoded(GOOD["time"].cast(pa.string())),
        pa.array([(START + second) * 10**9 for second in range(3)]),
        GOOD["time"].cast(pa.timestamp("s", "Asia/Tokyo")),
    ],
    ids=lambda column: str(column.type),
)
def test_times_of_every_readable_type(times: pa.Array) -> None:
    stamps = read(table(time=times)).timestamp
    assert stamps is not None
    assert stamps.tolist() == [START, START + 1, START + 2]


@pytest.mark.parametrize(
    "values",
    [
        pa.array([Decimal("1.00"), Decimal("2.00"), Decimal("3.00")], pa.decimal128(10, 2)),
        encoded(pa.array([1.0, 2.0, 3.0])),
        encoded(pa.array(["1", "2", "3"])),
    ],
    ids=lambda column: str(column.type),
)
def test_values_of_every_readable_type(values: pa.Array) -> None:
    assert read(table(value=values)).value.tolist() == [1, 2, 3]


LISTS = pa.array([["x"], ["y", "z"], []])
RECORDS = pa.array([{"a": 1}, {"a": 2}, None])
UNREADABLE = [
    ("item", LISTS, "holds lists (type list<"),
    ("user", RECORDS, "holds records (type struct<"),
    ("user", pa.array([True, False, None]), "holds truth values (type bool)"),
    ("item", GOOD["time"].cast(pa.timestamp("s")), "holds times (type timestamp["),
    ("time", LISTS, "holds lists"),
    ("time", pa.array([1, 2, 3], pa.duration("s")), "holds durations (type duration[s])"),
    ("time", pa.array([1, 2, 3], pa.time32("s")), "holds times of day"),
    ("value", RECORDS, "holds records"),
    ("value", GOOD["time"].cast(pa.timestamp("s")), "holds times"),
]


@pytest.mark.parametrize(("name", "column", "said"), UNREADABLE)
def test_what_cannot_be_read_is_named_with_its_column_and_type(
    name: str, column: pa.Array, said: str, tmp_path: Path
) -> None:
    broken = table(**{name: column})
    pq.write_table(broken.slice(0, 0), tmp_path / "log.parquet")
    log_key = {"time": "timestamp"}.get(name, name)
    for source in (source_of(broken), FileSource((tmp_path / "log.parquet",))):
        with pytest.raises(DataError, match="expected one") as raised:
            read_log(source, LOG)
        assert f"column {name!r} {said}" in str(raised.value)
        assert f"(log.{log_key})" in str(raised.value)


def test_a_table_is_read_in_blocks() -> None:
    whole = pa.concat_tables([table(), table()])
    events, counts = read_log(TableSource(whole, block_rows=4), LOG)
    assert counts.accepted == 6
    assert events.value.tolist() == [1, 2, 3, 1, 2, 3]
    assert source_of(whole).estimate_rows() == 6


def test_equal_tables_have_equal_fingerprints_whatever_their_chunks() -> None:
    whole = pa.concat_tables([table(), table()])
    assert source_of(whole).fingerprint() == source_of(whole.combine_chunks()).fingerprint()
    other = pa.concat_tables([table(), table(value=pa.array([1, 2, 4]))])
    assert source_of(whole).fingerprint() != source_of(other).fingerprint()


class Stream:
    """A data frame of another library, of which only the Arrow interface is known."""

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return table().__arrow_c_stream__(requested_schema)


@pytest.mark.parametrize("data", [table(), table().to_batches()[0], table().to_pandas(), Stream()])
def test_tables_of_every_library(data: object) -> None:
    assert read(data).users.ids.to_pylist() == ["a", "b"]


@pytest.mark.parametrize("data", [None, [1], {"user": ["a"]}, "log.csv"])
def test_what_is_no_table_is_refused(data: object) -> None:
    with pytest.raises(DataError, match="expected a pandas, polars or Arrow table"):
        read_frame(data, LOG)


STAMPS = [pd.Timestamp(START + second, unit="s", tz="Europe/Berlin") for second in range(3)]


@pytest.mark.parametrize(
    "times",
    [
        pd.Series(STAMPS),
        pd.Series(STAMPS, dtype=object),
        pd.Series([stamp.to_pydatetime() for stamp in STAMPS], dtype=object),
        pd.Series([STAMPS[0].isoformat(), *STAMPS[1:]], dtype=object),
        pd.Series([STAMPS[0].tz_convert("Asia/Tokyo"), *STAMPS[1:]], dtype=object),
        pd.Series([START, START + 1, START + 2], dtype="int64[pyarrow]"),
        pd.Series([Decimal(START), Decimal(START + 1), Decimal(START + 2)]),
        pd.Series([START, START + 1, START + 2], dtype="category"),
    ],
    ids=lambda series: str(series.dtype),
)
def test_times_as_pandas_has_them(times: "pd.Series[Any]") -> None:
    stamps = read(table().to_pandas().assign(time=times)).timestamp
    assert stamps is not None
    assert stamps.tolist() == [START, START + 1, START + 2]


@pytest.mark.parametrize(
    ("users", "ids"),
    [
        (pd.Series(["a", "b", "a"], dtype="category"), ["a", "b"]),
        (pd.Series([7, 8, 7], dtype="category"), ["7", "8"]),
        (pd.Series([7, 8, 7], dtype="Int64"), ["7", "8"]),
        (pd.Series(["a", "b", "a"], dtype="string[pyarrow]"), ["a", "b"]),
        (pd.Series(IDS, dtype=object), [str(IDS[0]), str(IDS[1])]),
        (pd.Series([IDS[0], "b", "b"], dtype=object), [str(IDS[0]), "b"]),
    ],
    ids=lambda value: str(getattr(value, "dtype", "")),
)
def test_ids_as_pandas_has_them(users: "pd.Series[Any]", ids: list[str]) -> None:
    assert read(table().to_pandas().assign(user=users)).users.ids.to_pylist() == ids


@pytest.mark.parametrize(
    "values",
    [
        pd.Series([1.0, 2.0, 3.0], dtype="category"),
        pd.Series([Decimal(1), Decimal(2), Decimal(3)]),
        pd.Series([1, 2, 3], dtype="Float64"),
        pd.Series(["1", 2, Decimal(3)], dtype=object),
    ],
    ids=lambda series: str(series.dtype),
)
def test_values_as_pandas_has_them(values: "pd.Series[Any]") -> None:
    assert read(table().to_pandas().assign(value=values)).value.tolist() == [1, 2, 3]


def test_lists_in_a_data_frame_are_named() -> None:
    frame = table().to_pandas().assign(item=[["x"], ["y"], ["z"]])
    with pytest.raises(DataError, match="column 'item' holds lists"):
        read_frame(frame, LOG)


def test_a_damaged_dictionary_is_an_error() -> None:
    codes = pa.array([0, 5, 1], pa.int32())
    damaged = pa.DictionaryArray.from_arrays(codes, pa.array(["a", "b"]), safe=False)
    with pytest.raises(DataError, match="column 'user' is damaged"):
        read_frame(table(user=damaged), LOG)
