"""Blocks of accepted rows to Interactions."""

import logging

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.ingest.gathering import Gathered
from recsys.data.ingest.refusals import Refusals
from recsys.data.ingest.row_checks import CheckedRows
from recsys.errors import DataError

NONE_REFUSED = Refusals("log", np.empty(0, np.int64), np.empty(0, np.uint8), ())


def coded(texts: list[str]) -> pa.DictionaryArray:
    return pa.array(texts, pa.binary()).dictionary_encode()


def rows(users: list[str], *, events: list[str] | None = None, time: int | None = None) -> CheckedRows:
    times = None if time is None else np.full(len(users), time, np.int64)
    kinds = None if events is None else coded(events)
    return CheckedRows(coded(users), coded(["i"] * len(users)), times, None, kinds, NONE_REFUSED)


def test_blocks_stand_side_by_side() -> None:
    gathered = Gathered()
    gathered.add(rows(["u2", "u1"], events=["view", "buy"], time=4_102_444_799))
    gathered.add(rows(["u3", "u2"], events=["view", "view"], time=631_152_000))
    events = gathered.finish()
    assert events.users.decode(events.user_idx) == ["u2", "u1", "u3", "u2"]
    assert events.event is not None
    assert [events.event_names[code] for code in events.event] == ["view", "buy", "view", "view"]
    assert events.timestamp is not None
    assert events.timestamp.tolist() == [4_102_444_799] * 2 + [631_152_000] * 2
    assert events.value.tolist() == [1.0] * 4


def test_a_column_the_log_lacks_is_none() -> None:
    gathered = Gathered()
    gathered.add(rows(["u"]))
    events = gathered.finish()
    assert (events.timestamp, events.event, events.event_names) == (None, None, ())


def test_ids_written_as_floats_become_whole_and_the_log_says_so(caplog: pytest.LogCaptureFixture) -> None:
    gathered = Gathered()
    gathered.add(rows(["100.0", "20.0"]))
    gathered.add(rows(["1000.0", "100.0"]))
    with caplog.at_level(logging.INFO):
        events = gathered.finish()
    assert events.users.decode(events.user_idx) == ["100", "20", "1000", "100"]
    assert events.users.ids.to_pylist() == sorted(events.users.ids.to_pylist())
    assert "every user id is a whole number written as a float" in caplog.text
    assert "item" not in caplog.text


def test_127_kinds_of_event_are_taken_and_more_are_a_mistake() -> None:
    kinds = [f"k{number:03d}" for number in range(128)]
    gathered = Gathered()
    gathered.add(rows(["u"] * 127, events=kinds[:127]))
    assert gathered.finish().event_names == tuple(kinds[:127])
    with pytest.raises(DataError, match=r"log\.event: .*more than 127 kinds of event, such as 'k000'"):
        Gathered().add(rows(["u"] * 128, events=kinds))


def test_too_many_kinds_are_seen_across_blocks() -> None:
    gathered = Gathered()
    gathered.add(rows(["u"] * 100, events=[f"a{number}" for number in range(100)]))
    gathered.add(rows(["u"] * 100, events=[f"b{number}" for number in range(100)]))
    with pytest.raises(DataError, match="more than 127"):
        gathered.finish()


def test_kinds_of_refused_rows_do_not_count() -> None:
    names = pa.array([f"k{number}" for number in range(500)], pa.binary())
    events = pa.DictionaryArray.from_arrays(pa.array([3], pa.int32()), names)
    gathered = Gathered()
    gathered.add(CheckedRows(coded(["u"]), coded(["i"]), None, None, events, NONE_REFUSED))
    assert gathered.finish().event_names == ("k3",)
