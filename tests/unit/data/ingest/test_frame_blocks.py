"""Data frames: every dtype that pandas makes of ids and times."""

import numpy as np
import pandas as pd
import pytest

from recsys.data.ingest import frame_blocks
from recsys.data.ingest.raw_rows import RawRows, Wanted
from recsys.data.ingest.refusals import NO_FAULT, REASONS, Reason
from recsys.errors import DataError

WANTED = Wanted("log", {"user": "user", "item": "7", "timestamp": "t"}, keep=10)


def frame(users: object, items: object = None, times: object = None) -> pd.DataFrame:
    """Columns named by text and by a number, over an index that is not the row."""
    n = len(users)  # type: ignore[arg-type]
    items = ["x"] * n if items is None else items
    columns = {"user": users, 7: items, "t": [1] * n if times is None else times}
    return pd.DataFrame(columns).set_index(pd.Index(range(100, 100 + n)))


def read(data: pd.DataFrame) -> list[RawRows]:
    return [parse() for parse in frame_blocks.frame_blocks(data, WANTED)]


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
    assert rows.columns["user"].to_pylist() == expected
    assert rows.faults is None


def test_objects_that_are_no_ids_are_known_at_once() -> None:
    (rows,) = read(frame(np.array(["a", 1, 1.5, True], object)))
    assert rows.faults is not None
    reasons = [None if number == NO_FAULT else REASONS[number] for number in rows.faults]
    assert reasons == [None, None, Reason.ID_NOT_TEXT, Reason.ID_NOT_TEXT]


def test_times_keep_their_type() -> None:
    times = pd.to_datetime(["2009-12-01 07:45", None]).tz_localize("Europe/Berlin")
    (rows,) = read(frame(["a", "b"], times=times))
    assert str(rows.columns["timestamp"].type).startswith("timestamp[")
    assert rows.columns["timestamp"].null_count == 1


def test_rows_are_numbered_by_position(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame_blocks, "_BLOCK_ROWS", 2)
    blocks = read(frame(list("abcde")))
    assert [rows.lines.tolist() for rows in blocks] == [[1, 2], [3, 4], [5]]


def test_a_missing_column_is_named() -> None:
    with pytest.raises(DataError, match=r"the data frame: no column 't' \(log\.timestamp\)"):
        read(frame(["a"]).drop(columns="t"))
