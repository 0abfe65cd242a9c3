"""Delta tables: the rows of the newest version, on disk and in a bucket."""

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from recsys.address import Address
from recsys.config import LogConfig, LogSchema
from recsys.data.ingest.configured import log_input
from recsys.data.ingest.delta_source import DeltaSource
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns
from recsys.errors import ConfigError, DataError
from recsys.remote import RemotePath
from tests.object_stores import BUCKET, Bucket

deltalake: Any = pytest.importorskip("deltalake")

LOG = LogSchema(user="who", item="what", timestamp="at", timestamp_unit="s", max_refused_share=0.5)


def _rows(*users: str) -> pa.Table:
    times = range(1_600_000_000, 1_600_000_000 + len(users))
    return pa.table({"who": users, "what": [f"i{len(user)}" for user in users], "at": times})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """Six rows in two files, of which one was deleted."""
    path = tmp_path / "events"
    deltalake.write_deltalake(str(path), _rows("u1", "u2", "gone", "", "u3"))
    deltalake.write_deltalake(str(path), _rows("u4"), mode="append")
    deltalake.DeltaTable(str(path)).delete("who = 'gone'")
    return path


def test_the_rows_of_the_newest_version_are_read(table: Path) -> None:
    source = log_input(LogConfig(**LOG.model_dump(), paths=(str(table),), format="delta"))
    events, counts = read_log(source, LOG)
    assert sorted(events.users.decode(events.user_idx)) == ["u1", "u2", "u3", "u4"]
    assert (counts.rows_read, counts.refused) == (5, {"missing_user": 1})
    assert source.description == f"{table} (version 2)"
    assert source.estimate_rows() == 5


def test_the_fingerprint_is_of_the_rows_and_the_mark_of_the_version(table: Path) -> None:
    def source() -> DeltaSource:
        return DeltaSource(table, Columns.of(LOG))

    first, mark = source().fingerprint(), source().marks()
    deltalake.DeltaTable(str(table)).optimize.compact()
    assert source().fingerprint() == first
    deltalake.write_deltalake(str(table), _rows("u9"), mode="append")
    assert source().fingerprint() != first
    assert source().marks() != mark


def test_a_table_in_a_bucket_is_that_on_disk(table: Path, bucket: Bucket) -> None:
    bucket.put_folder(table, "lake/events")
    far = DeltaSource(RemotePath(Address(f"s3://{BUCKET}/lake/events")), Columns.of(LOG))
    near = DeltaSource(table, Columns.of(LOG))
    assert far.fingerprint() == near.fingerprint()
    assert far.description == f"s3://{BUCKET}/lake/events (version 2)"


def test_what_is_no_table_is_said(tmp_path: Path, table: Path) -> None:
    with pytest.raises(DataError, match="none: cannot be read as a Delta table"):
        DeltaSource(tmp_path / "none", Columns.of(LOG)).check(Columns.of(LOG))
    with pytest.raises(DataError, match=r"no column 'whom' \(log\.user\); did you mean 'who'"):
        DeltaSource(table, Columns.of(LOG)).check(Columns.of(LOG.model_copy(update={"user": "whom"})))
    with pytest.raises(ConfigError, match="expected one folder, the table; got 2"):
        log_input(LogConfig(paths=(str(table), "b"), format="delta"))
