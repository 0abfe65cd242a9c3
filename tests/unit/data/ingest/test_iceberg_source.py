"""Iceberg tables: the rows of the newest snapshot, on disk and in a bucket."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from recsys.address import Address
from recsys.config import LogConfig, LogSchema
from recsys.data.ingest.configured import log_input
from recsys.data.ingest.iceberg_source import IcebergSource
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns
from recsys.errors import ConfigError, DataError
from recsys.remote import RemotePath
from tests.conftest import S3Bucket

pytest.importorskip("sqlalchemy")
catalogs: Any = pytest.importorskip("pyiceberg.catalog.sql")

LOG = LogSchema(user="who", item="what", timestamp="at", timestamp_unit="s", max_refused_share=0.5)


def _rows(*users: str) -> pa.Table:
    times = range(1_600_000_000, 1_600_000_000 + len(users))
    return pa.table({"who": users, "what": [f"i{len(user)}" for user in users], "at": times})


def _written(warehouse: str, **options: str) -> Any:
    """Six rows in two files, of which one was deleted; the table is db.events."""
    catalog = catalogs.SqlCatalog("test", uri="sqlite:///:memory:", warehouse=warehouse, **options)
    catalog.create_namespace("db")
    table = catalog.create_table("db.events", schema=_rows("u").schema)
    table.append(_rows("u1", "u2", "gone", "", "u3"))
    table.append(_rows("u4"))
    table.delete("who = 'gone'")
    return catalog, table


@pytest.fixture
def table(tmp_path: Path) -> Iterator[Any]:
    """The table in tmp_path/db/events."""
    catalog, table = _written(str(tmp_path))
    yield table
    catalog.close()


def test_the_rows_of_the_newest_snapshot_are_read(table: Any, tmp_path: Path) -> None:
    path = tmp_path / "db/events"
    source = log_input(LogConfig(**LOG.model_dump(), paths=(str(path),), format="iceberg"))
    events, counts = read_log(source, LOG)
    assert sorted(events.users.decode(events.user_idx)) == ["u1", "u2", "u3", "u4"]
    assert (counts.rows_read, counts.refused) == (5, {"missing_user": 1})
    assert source.description == f"{path} (snapshot {table.current_snapshot().snapshot_id})"
    assert source.estimate_rows() == 5


def test_the_fingerprint_is_of_the_rows_and_the_mark_of_the_snapshot(table: Any, tmp_path: Path) -> None:
    def source() -> IcebergSource:
        return IcebergSource(tmp_path / "db/events", Columns.of(LOG))

    first, mark = source().fingerprint(), source().marks()
    table.overwrite(table.scan().to_arrow().sort_by("who"))
    assert source().fingerprint() == first
    assert source().marks() != mark
    table.append(_rows("u9"))
    assert source().fingerprint() != first


def test_a_table_in_a_bucket_is_that_on_disk(table: Any, tmp_path: Path, s3_bucket: S3Bucket) -> None:
    endpoint = f"http://{s3_bucket.endpoint}"
    catalog, _ = _written(f"s3://{s3_bucket.name}/lake", **{"s3.endpoint": endpoint, "s3.region": "us-east-1"})
    address = f"s3://{s3_bucket.name}/lake/db/events?endpoint_override={endpoint}"
    far = IcebergSource(RemotePath(Address(address)), Columns.of(LOG))
    assert far.fingerprint() == IcebergSource(tmp_path / "db/events", Columns.of(LOG)).fingerprint()
    catalog.close()


def test_a_metadata_file_is_a_table_as_it_was(table: Any, tmp_path: Path) -> None:
    before = Path(table.metadata_location.removeprefix("file://"))
    table.append(_rows("u9"))
    assert IcebergSource(before, Columns.of(LOG)).estimate_rows() == 5
    (before.parent / "00099-a.metadata.json").write_bytes(before.read_bytes())
    (before.parent / "00099-b.metadata.json").write_bytes(before.read_bytes())
    with pytest.raises(DataError, match=r"00099-a.metadata.json and 00099-b.metadata.json have the same number"):
        IcebergSource(tmp_path / "db/events", Columns.of(LOG)).fingerprint()


def test_what_is_no_table_is_said(table: Any, tmp_path: Path) -> None:
    path = tmp_path / "db/events"
    with pytest.raises(DataError, match="none: cannot be read as an Iceberg table"):
        IcebergSource(tmp_path / "none", Columns.of(LOG)).check(Columns.of(LOG))
    with pytest.raises(DataError, match=r"no column 'whom' \(log\.user\); did you mean 'who'"):
        IcebergSource(path, Columns.of(LOG)).check(Columns.of(LOG.model_copy(update={"user": "whom"})))
    with pytest.raises(ConfigError, match="expected one folder, the table; got 2"):
        log_input(LogConfig(paths=(str(path), "b"), format="iceberg"))
    for data in (path / "data").rglob("*.parquet"):
        data.unlink()
    with pytest.raises(DataError, match="cannot be read as an Iceberg table"):
        IcebergSource(path, Columns.of(LOG)).fingerprint()
