"""The survey counts what read_log would find, and keeps little."""

from pathlib import Path

import numpy as np
import pytest

from recsys.config import LogConfig
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.survey import Survey, survey_log
from recsys.data.synthetic import write_synthetic_log
from recsys.errors import DataError


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> LogConfig:
    folder = tmp_path_factory.mktemp("log")
    write_synthetic_log(folder, n_users=700, n_items=150, n_events=30_000, seed=3, dirty_rows=200, compress=False)
    return LogConfig(
        paths=(folder / "events" / "*.csv",),
        user="user_id",
        item="item_id",
        timestamp="timestamp",
        event="event",
        event_weights={"view": 1.0, "cart": 3.0, "purchase": 5.0},
        max_future="3650d",
    )


def surveyed(log: LogConfig, **options: int) -> Survey:
    return survey_log(FileSource.of(log), log, **options)  # type: ignore[arg-type]


@pytest.fixture(scope="module")
def whole(log: LogConfig) -> Survey:
    return surveyed(log)


def test_a_small_log_is_counted_exactly(log: LogConfig, whole: Survey) -> None:
    events, counts = read_log(FileSource.of(log), log)
    survey = whole
    assert (survey.rows, survey.accepted) == (counts.rows_read, counts.accepted)
    assert (survey.users, survey.items) == (len(events.users), len(events.items))
    assert survey.by_user.share == 1.0
    assert np.array_equal(np.sort(survey.by_user.time), np.sort(events.timestamp))
    pairs = np.unique(np.stack([survey.by_user.owner, survey.by_user.other]), axis=1).shape[1]
    assert pairs == len(np.unique(events.user_idx.astype(np.int64) * len(events.items) + events.item_idx))


def test_a_sample_holds_its_owners_with_all_their_events(log: LogConfig, whole: Survey) -> None:
    everything = whole.by_user
    sample = surveyed(log, sampled_rows=5_000).by_user
    assert len(sample.owner) <= 5_000
    assert 0 < sample.share < 1
    theirs = np.isin(everything.owner, np.unique(sample.owner))
    assert len(sample.owner) == int(theirs.sum())


def test_many_ids_are_counted_by_their_hashes(log: LogConfig, whole: Survey) -> None:
    exact = whole.users
    assert surveyed(log, kept_hashes=256).users == pytest.approx(exact, rel=0.25)


def test_a_part_of_the_log_knows_that_it_is_one(log: LogConfig) -> None:
    survey = surveyed(log, max_rows=5_000)
    assert not survey.whole
    assert 5_000 <= survey.rows < 30_000
    assert 2 * survey.half[0] >= survey.rows
    assert surveyed(log, max_rows=10**9).whole


def test_a_log_without_an_accepted_row_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("user,item\n,a\n,b\n")
    with pytest.raises(DataError, match="none of the 2 rows"):
        surveyed(LogConfig(paths=(tmp_path / "log.csv",)))
