"""Event files: chunks of whole users, in order, over all users of the log; samples; the span of the log."""

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from recsys.data.interactions import Interactions
from recsys.data.log_span import LogSpan
from recsys.data.matrix import csr_from_pairs
from recsys.errors import ArtifactError, DataError
from recsys.spark.driver_matrix import item_sums
from recsys.spark.event_files import EventFiles, write_events
from recsys.spark.hours import span_of
from recsys.spark.sample import is_drawn, read_sample, sample_events, sample_rows
from recsys.spark.tasks import in_tasks

FIELDS = ("user_idx", "item_idx", "value", "timestamp", "event")


def same(one: Interactions, other: Interactions) -> bool:
    return all(np.array_equal(getattr(one, name), getattr(other, name)) for name in FIELDS)


@pytest.mark.parametrize("most_events", [1, 40, 100_000])
@pytest.mark.parametrize("n_files", [1, 3])
def test_chunks_hold_whole_users_and_cover_all(random_log, tmp_path: Path, n_files: int, most_events: int) -> None:
    log = random_log()
    files = write_events(log, tmp_path / "events", n_files=n_files)
    chunks = [chunk for file in range(len(files.files)) for chunk in files.chunks(file, most_events)]
    assert [chunk.first_user for chunk in chunks] == [0, *(chunk.stop_user for chunk in chunks[:-1])]
    assert chunks[-1].stop_user == len(log.users)
    for chunk in chunks:
        mine = (log.user_idx >= chunk.first_user) & (log.user_idx < chunk.stop_user)
        theirs = log.select(np.flatnonzero(mine)[np.argsort(log.user_idx[mine], kind="stable")])
        assert np.array_equal(chunk.events.user_idx + chunk.first_user, theirs.user_idx)
        assert all(np.array_equal(getattr(chunk.events, name), getattr(theirs, name)) for name in FIELDS[1:])
        assert chunk.events.users.ids.equals(log.users.ids.slice(chunk.first_user, len(chunk.events.users)))
    assert same(files.of_users(0, len(log.users)), log.select(np.argsort(log.user_idx, kind="stable")))


def test_files_that_are_not_in_order_of_user_are_refused(random_log, tmp_path: Path) -> None:
    files = write_events(random_log(), tmp_path / "events", n_files=2)
    one, other = files.files
    one.rename(other.with_name("part-00002.parquet"))
    with pytest.raises(ArtifactError, match="not in order of user"):
        _ = EventFiles(files.folder).bounds
    pq.write_table(pq.read_table(other).take(list(range(100, -1, -1))), other)
    with pytest.raises(ArtifactError, match="not in order of user"):
        list(EventFiles(files.folder).chunks(0, 10))


@pytest.mark.parametrize("where", [-900, -3])
def test_a_damaged_file_is_named(random_log, tmp_path: Path, where: int) -> None:
    files = write_events(random_log(n=3_000), tmp_path / "events", n_files=2)
    damaged = files.files[1]
    content = bytearray(damaged.read_bytes())
    content[where] ^= 255
    damaged.write_bytes(content[: where if where < -3 else len(content)])
    with pytest.raises(ArtifactError, match=r"part-00001\.parquet"):
        again = EventFiles(files.folder)
        [list(again.chunks(file, 500)) for file in range(len(again.files))]


def test_a_log_that_fits_is_sampled_whole_and_in_its_order(spark, random_log, tmp_path: Path) -> None:
    log = random_log()
    files = write_events(log, tmp_path / "events", n_files=2)
    whole = sample_events(spark, files, len(log))
    assert whole.is_whole
    assert same(whole.events, log)
    part = sample_events(spark, files, len(log) // 2)
    drawn = is_drawn(np.arange(len(log.users)), 0.45)[log.user_idx]
    assert same(read_sample(files, len(log) // 2).events, part.events)
    assert not part.is_whole
    assert part.of_events == len(log)
    assert 0 < len(part.events) < len(log)
    theirs = log.select(drawn)
    assert part.events.users.decode(part.events.user_idx) == theirs.users.decode(theirs.user_idx)
    assert all(np.array_equal(getattr(part.events, name), getattr(theirs, name)) for name in FIELDS[1:])
    assert span_of(files.read(spark)) == LogSpan.of(log.timestamp)


def test_rows_of_a_matrix_are_drawn_whole(spark, store_blocks, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    row, column = rng.integers(0, 300, 3_000), rng.integers(0, 40, 3_000)
    matrix = csr_from_pairs(row.astype(np.int32), column.astype(np.int32), np.ones(3_000, np.float32), (300, 40))
    stored = store_blocks(matrix, tmp_path / "blocks", 500)
    position, rows = sample_rows(spark, stored, matrix.nnz)
    assert np.array_equal(position, np.arange(300))
    assert (rows != matrix).nnz == 0
    position, rows = sample_rows(spark, stored, 1_000)
    assert 0 < rows.nnz < 1_500
    assert (rows != matrix[position]).nnz == 0


def test_a_share_of_users_is_drawn_the_same_ones_everywhere() -> None:
    drawn = is_drawn(np.arange(100_000), 0.3)
    assert abs(drawn.mean() - 0.3) < 0.01
    assert np.array_equal(is_drawn(np.arange(50_000, 50_100), 0.3), drawn[50_000:50_100])
    assert (is_drawn(np.arange(100_000), 0.2) <= drawn).all()


def test_results_come_in_order_and_errors_as_they_were_raised(spark) -> None:
    def work(number: int):
        yield from ((number, part) for part in range(number))

    def fail(number: int):
        yield number
        if number:
            raise DataError(f"block {number}: refused")

    assert in_tasks(spark, 3, work) == [(1, 0), (2, 0), (2, 1)]
    with pytest.raises(DataError, match="block 1: refused"):
        in_tasks(spark, 3, fail)


def test_items_are_summed_block_by_block(spark, store_blocks, tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    row, column = rng.integers(0, 90, 900), rng.integers(0, 40, 900)
    matrix = csr_from_pairs(row.astype(np.int32), column.astype(np.int32), rng.random(900, np.float32), (90, 45))
    degree, weight = item_sums(spark, store_blocks(matrix.T.tocsr(), tmp_path / "items", 70))
    assert np.array_equal(degree, np.bincount(matrix.indices, minlength=45))
    assert np.array_equal(weight, np.bincount(matrix.indices, weights=matrix.data, minlength=45))
