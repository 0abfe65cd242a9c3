"""Cleaning by chunks of users gives the matrix of the local engine to the bit, and counts the same."""

from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from recsys.config import PrepareConfig
from recsys.data.cleaning import clean
from recsys.data.event_weights import EventWeights
from recsys.errors import DataError
from recsys.spark.cleaning import clean_events
from recsys.spark.event_files import EventChunk, write_events
from recsys.spark.row_blocks import StoredBlocks, concatenated
from recsys.spark.row_blocks import blocks_of as read_blocks

CASES = {
    "k-core of many rounds": (PrepareConfig(min_user_items=5, min_item_users=14), EventWeights()),
    "returns, bots": (
        PrepareConfig(min_user_items=2, min_item_users=2, max_user_events=40),
        EventWeights(net=True, kinds={"buy": 1, "view": 0.1}),
    ),
    "decay, last": (
        PrepareConfig(repeats="last", half_life_days=3),
        EventWeights(repeats="last", half_life_days=3),
    ),
}


def _with_returns(events):
    value = events.value.copy()
    value[::3] *= -1
    return replace(events, value=value)


@pytest.mark.parametrize("case", CASES)
def test_the_blocks_are_the_local_matrix(spark, random_log, tmp_path, case):
    prepare, weights = CASES[case]
    events = random_log(seed=3, n=900)
    events = _with_returns(events) if weights.net else events
    weights = weights.at(int(events.timestamp.max()))
    expected = clean(events, prepare, weights=weights)

    stored = write_events(events, tmp_path / "events", n_files=3)
    found = clean_events(spark, stored, prepare, weights, scratch=tmp_path / "made", block_entries=100)

    assert found.summary == expected.summary
    matrix = expected.matrix
    assert found.users.shape.n_blocks > 3, "not of one block alone"
    _equal(_all(spark, found.users), matrix.csr)
    _equal(_all(spark, found.items), matrix.csr.T.tocsr())
    assert events.users.take(np.load(found.user_positions)).ids.equals(matrix.users.ids)
    assert events.items.take(found.item_positions).ids.equals(matrix.items.ids)
    folded = expected.folded_in
    users = np.load(found.folded_in.join_users(tmp_path / "folded.npy"))
    assert events.users.take(users).ids.equals(folded.users.ids)
    found.folded_in.join_rows(tmp_path / "rows", folded.csr.shape, folded.csr.nnz)
    assert np.array_equal(np.load(tmp_path / "rows.data.npy"), folded.csr.data)
    assert np.array_equal(np.load(tmp_path / "rows.indices.npy"), folded.csr.indices)
    assert np.array_equal(np.load(tmp_path / "rows.indptr.npy"), folded.csr.indptr)


def _before(second: int, chunk: EventChunk):
    return chunk.events.select(chunk.events.timestamp < second)


def test_only_the_events_that_are_taken_count(spark, random_log, tmp_path):
    events = random_log(seed=5)
    cut = int(np.median(events.timestamp))
    expected = clean(events.select(events.timestamp < cut), PrepareConfig(), weights=EventWeights())

    found = clean_events(
        spark,
        write_events(events, tmp_path / "events", n_files=2),
        PrepareConfig(),
        EventWeights(),
        scratch=tmp_path / "made",
        block_entries=200,
        take=partial(_before, cut),
    )

    assert found.summary == expected.summary
    _equal(_all(spark, found.users), expected.matrix.csr)
    assert events.users.take(np.load(found.user_positions)).ids.equals(expected.matrix.users.ids)


def test_nothing_left_is_said_as_on_one_machine(spark, random_log, tmp_path):
    events, prepare = random_log(), PrepareConfig(min_user_items=26)
    with pytest.raises(DataError) as local:
        clean(events, prepare, weights=EventWeights())
    stored = write_events(events, tmp_path / "events")
    with pytest.raises(DataError) as found:
        clean_events(spark, stored, prepare, EventWeights(), scratch=tmp_path / "made", block_entries=1_000)
    assert str(found.value) == str(local.value)


def test_an_error_of_a_task_keeps_its_type_and_its_words(spark, random_log, tmp_path):
    events = replace(random_log(), value=np.full(600, -1, np.float32))
    with pytest.raises(DataError) as local:
        clean(events, PrepareConfig(), weights=EventWeights())
    stored = write_events(events, tmp_path / "events")
    with pytest.raises(DataError) as found:
        clean_events(spark, stored, PrepareConfig(), EventWeights(), scratch=tmp_path / "made", block_entries=1_000)
    assert str(found.value) == str(local.value)


def _all(spark, stored: StoredBlocks):
    again = StoredBlocks.load(stored.folder)
    blocks = list(read_blocks(again.read(spark).toArrow(), again.shape.n_columns))
    assert sorted(block.number for block in blocks) == list(range(again.shape.n_blocks))
    assert [block.first for block in sorted(blocks, key=lambda each: each.number)] == sorted(b.first for b in blocks)
    return concatenated(blocks)


def _equal(found, expected):
    assert found.shape == expected.shape
    for part in ("indptr", "indices", "data"):
        assert np.array_equal(getattr(found, part), getattr(expected, part)), part
