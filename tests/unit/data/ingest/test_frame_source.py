"""Data frames: every dtype that pandas makes of ids and times."""

from datetime import date, datetime

import numpy as np
import pandas as pd
import pytest

from recsys.config import LogSchema
from recsys.data.ingest.frame_source import FrameSource
from recsys.data.ingest.readers import read_frame
from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason
from recsys.data.ingest.source import Columns, RawBatch
from recsys.errors import DataError

COLUMNS = Columns("log", {"user": "user", "item": "7", "timestamp": "t"}, keep=10)


def frame(users: object, items: object = None, times: object = None) -> pd.DataFrame:
    """Columns named by text and by a number, over an index that is not the row."""
    n = len(users)  # type: ignore[arg-type]
    items = ["x"] * n if items is None else items
    columns = {"user": users, 7: items, "t": [1] * n if times is None else times}
    return pd.DataFrame(columns).set_index(pd.Index(range(100, 100 + n)))


def read(data: pd.DataFrame, **options: int) -> list[RawBatch]:
    return [parse() for parse in FrameSource(data, **options).batches(COLUMNS)]


@pytest.mark.parametrize(
    ("users", "expected"),
    [
        (["a", None], ["a", None]),
        (pd.Series(["a", None], dtype="category"), ["a", None]),
        (pd.Series(["a", pd.NA], dtype="string"), ["a", None]),
        ([1, 2], [1, 2]),
        (pd.Series([1, None], dtype="Int64"), [1, None]),
        ([13085.0, float("nan")], [13085.0, None]),
        (np.array(["a", 3, None, float("nan"), 4.0], object), [b"a", b"3", None, None, b"4"]),
    ],
)
def test_columns_of_every_dtype(users: object, expected: list[object]) -> None:
    data = pd.DataFrame({"user": users, 7: "x", "t": 1})
    (rows,) = read(data)
    assert rows.column("user").to_pylist() == expected
    assert rows.faults is None


def test_objects_that_are_no_ids_are_known_at_once() -> None:
    (rows,) = read(frame(np.array(["a", 1, 1.5, True], object)))
    assert rows.faults is not None
    reasons = [None if number == NO_FAULT else REASONS[number] for number in rows.faults]
    assert reasons == [None, None, Reason.ID_NOT_TEXT, Reason.ID_NOT_TEXT]


def test_times_keep_their_type() -> None:
    times = pd.to_datetime(["2009-12-01 07:45", None]).tz_localize("Europe/Berlin")
    (rows,) = read(frame(["a", "b"], times=times))
    assert str(rows.column("timestamp").type).startswith("timestamp[")
    assert rows.column("timestamp").null_count == 1


def test_rows_are_numbered_by_position() -> None:
    blocks = read(frame(list("abcde")), block_rows=2)
    assert [rows.positions.tolist() for rows in blocks] == [[1, 2], [3, 4], [5]]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match=r"the data frame: no column 't' \(log\.timestamp\)"):
        read(frame(["a"]).drop(columns="t"))


def test_progress_is_reported_rows() -> None:
    reported: list[tuple[str, float, float | None]] = []
    list(
        FrameSource(frame(list("abcde")), block_rows=2).batches(COLUMNS, progress=lambda *news: reported.append(news))
    )
    assert reported == [("read", 2, 5), ("read", 4, 5), ("read", 5, 5)]
    assert FrameSource(frame(list("abcde"))).estimate_rows() == 5


def test_the_fingerprint_is_of_the_content() -> None:
    whole = frame(np.array(["a", 1, None], object), items=["x", "y", "z"])
    same = FrameSource(whole).fingerprint()
    assert len(bytes.fromhex(same)) == 32
    assert FrameSource(whole.reset_index(drop=True).copy()).fingerprint() == same
    changed = [
        frame(np.array(["a", 2, None], object), items=["x", "y", "z"]),
        frame(np.array(["a", 1, None], object), items=["x", "z", "y"]),
        whole.iloc[::-1],
        whole.rename(columns={"t": "time"}),
        whole.iloc[:2],
    ]
    assert len({same, *(FrameSource(other).fingerprint() for other in changed)}) == 6


def test_values_of_any_kind_have_a_fingerprint() -> None:
    odd = frame(np.array([{"a": 1}, [2], None], object), times=pd.to_datetime(["2009-12-01", "2010-01-01", None]))
    assert FrameSource(odd).fingerprint() == FrameSource(odd.copy()).fingerprint()


@pytest.mark.parametrize(
    ("times", "hours"),
    [
        ([date(2024, 1, 1), datetime(2024, 1, 1, 5), None], [-1, 4]),
        ([datetime(2024, 1, 1, 5), date(2024, 1, 1), pd.NaT], [4, -1]),
        ([datetime(2024, 1, 1, 5), pd.Timestamp("2024-01-01 05:00", tz="UTC")], [4, 5]),
        ([pd.Timestamp("2024-01-01 05:00", tz="UTC"), "2024-01-01 05:00"], [5, 4]),
    ],
)
def test_times_of_several_kinds_each_mean_what_they_say(times: list[object], hours: list[int]) -> None:
    data = frame([f"u{at}" for at in range(len(times))], times=pd.Series(times, dtype=object))
    log = LogSchema(item="7", timestamp="t", timezone="Europe/Berlin", max_refused_share=0.5)
    events, _ = read_frame(data, log)
    assert events.timestamp is not None
    assert events.timestamp.tolist() == [1_704_067_200 + 3600 * hour for hour in hours]
