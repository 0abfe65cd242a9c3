"""Batches of accepted rows to Interactions."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from recsys.data.ingest.assembly import GrowingArray, InteractionsBuilder, Vocabulary
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


def test_batches_follow_each_other() -> None:
    builder = InteractionsBuilder()
    builder.add(rows(["u2", "u1"], events=["view", "buy"], time=4_102_444_799))
    builder.add(rows(["u3", "u2"], events=["view", "view"], time=631_152_000))
    events = builder.finish()
    assert events.users.decode(events.user_idx) == ["u2", "u1", "u3", "u2"]
    assert events.event is not None
    assert [events.event_names[code] for code in events.event] == ["view", "buy", "view", "view"]
    assert events.timestamp is not None
    assert events.timestamp.tolist() == [4_102_444_799] * 2 + [631_152_000] * 2
    assert events.value.tolist() == [1.0] * 4


def test_a_column_the_log_lacks_is_none() -> None:
    builder = InteractionsBuilder()
    builder.add(rows(["u"]))
    events = builder.finish()
    assert (events.timestamp, events.event, events.event_names) == (None, None, ())


def test_127_kinds_of_event_are_taken_and_more_are_a_mistake() -> None:
    kinds = [f"k{number:03d}" for number in range(128)]
    builder = InteractionsBuilder()
    builder.add(rows(["u"] * 127, events=kinds[:127]))
    assert builder.finish().event_names == tuple(kinds[:127])
    with pytest.raises(DataError, match=r"log\.event: .*more than 127 kinds of event, such as 'k000'"):
        InteractionsBuilder().add(rows(["u"] * 128, events=kinds))


def test_too_many_kinds_are_seen_across_blocks() -> None:
    builder = InteractionsBuilder()
    builder.add(rows(["u"] * 100, events=[f"a{number}" for number in range(100)]))
    builder.add(rows(["u"] * 100, events=[f"b{number}" for number in range(100)]))
    with pytest.raises(DataError, match="more than 127"):
        builder.finish()


def test_kinds_of_refused_rows_do_not_count() -> None:
    names = pa.array([f"k{number}" for number in range(500)], pa.binary())
    events = pa.DictionaryArray.from_arrays(pa.array([3], pa.int32()), names)
    builder = InteractionsBuilder()
    builder.add(CheckedRows(coded(["u"]), coded(["i"]), None, None, events, NONE_REFUSED))
    assert builder.finish().event_names == ("k3",)


BLOCKS = st.lists(st.lists(st.sampled_from(["a", "b", "é", "z9", "z10", ""]), max_size=6), max_size=6)


@pytest.mark.parametrize("merge_from", [0, 3, 1000])
def test_codes_stand_for_the_ids_that_were_added(merge_from: int) -> None:
    @settings(max_examples=40, deadline=None)
    @given(BLOCKS)
    def check(blocks: list[list[str]]) -> None:
        grown = Vocabulary(merge_from)
        for block in blocks:
            grown.add(pa.array(block, pa.binary()).dictionary_encode())
        ids, codes = grown.finish()
        rows = [row for block in blocks for row in block]
        assert ids.to_pylist() == sorted(set(rows), key=str.encode)
        assert [ids[int(code)].as_py() for code in codes] == rows

    check()


def test_ids_that_no_row_uses_are_left_out_even_if_they_are_no_text() -> None:
    grown = Vocabulary()
    grown.add(pa.DictionaryArray.from_arrays(pa.array([1], pa.int32()), pa.array([b"\xff", b"ok"])))
    ids, codes = grown.finish()
    assert ids.to_pylist() == ["ok"]
    assert codes.tolist() == [0]


@settings(max_examples=40, deadline=None)
@given(st.lists(st.lists(st.integers(-9, 9), max_size=20), max_size=20))
def test_blocks_stand_side_by_side(blocks: list[list[int]]) -> None:
    column = GrowingArray(np.int32)
    for block in blocks:
        column.append(np.array(block, np.int64))
    expected = [value for block in blocks for value in block]
    assert len(column) == len(expected)
    finished = column.finish()
    assert finished.dtype == np.int32
    assert finished.tolist() == expected


def test_a_finished_column_is_let_go() -> None:
    column = GrowingArray(np.float32)
    column.append(np.ones(3, np.float32))
    first = column.finish()
    column.append(np.zeros(5, np.float32))
    assert first.tolist() == [1, 1, 1]
    assert column.finish().tolist() == [0] * 5
