"""Which target an address means, and what goes wrong with files of SQLite and objects."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pyarrow as pa
import pytest

from recsys.address import Address
from recsys.errors import ConfigError, ExportError
from recsys.export import SCHEMA, target_of

LISTS = pa.table([["u1"], ["b1"], [1], [0.5], ["v1"]], schema=SCHEMA)


def write(url: str, table: str | None = None) -> None:
    with target_of(Address(url), table=table).open("v1") as writer:
        writer.write(LISTS)


@pytest.mark.parametrize("url", ["mysql://h/db/t", "https://h/lists.parquet"])
def test_an_address_of_another_kind_is_refused_with_what_there_is(url: str) -> None:
    with pytest.raises(ConfigError, match=r"expected one of postgresql://, sqlite://, redis://, s3://"):
        target_of(Address(url))


def test_a_table_of_what_has_none_is_refused() -> None:
    with pytest.raises(ConfigError, match="redis:// has none"):
        target_of(Address("redis://h/0"), table="lists")


def test_another_table_of_sqlite_is_not_replaced(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE TABLE orders (id, total)")
        with pytest.raises(ConfigError, match=r"its columns are id, total, expected user_id.*name another table"):
            write(f"sqlite:///{tmp_path}/a.db/orders")
        assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("orders",)]


def test_a_view_of_sqlite_reads_the_new_lists(tmp_path: Path) -> None:
    write(f"sqlite:///{tmp_path}/a.db/lists")
    with closing(sqlite3.connect(tmp_path / "a.db")) as connection:
        connection.execute("CREATE VIEW best AS SELECT * FROM lists WHERE rank = 1")
        write(f"sqlite:///{tmp_path}/a.db/lists")
        assert len(connection.execute("SELECT * FROM best").fetchall()) == 1


def test_a_locked_or_damaged_file_of_sqlite_is_told(tmp_path: Path) -> None:
    (tmp_path / "a.db").write_text("this is no database, but a text that is longer than a header" * 20)
    with pytest.raises(ExportError, match="file is not a database"):
        write(f"sqlite:///{tmp_path}/a.db/lists")


@pytest.mark.parametrize(
    "url", ["sqlite://a.db/lists", "sqlite:///lists", "sqlite:///a.db/", "sqlite:///no/where/a.db/x"]
)
def test_an_address_of_sqlite_without_file_or_table_is_refused(
    url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ConfigError, match=r"expected sqlite:///folder/file\.db/table"):
        write(url)


def test_an_object_with_another_ending_or_none_is_refused(s3_bucket) -> None:
    with pytest.raises(ConfigError, match=r"'\.xls', expected one of \.parquet"):
        write(s3_bucket.url("lists.xls"))
    with pytest.raises(ConfigError, match="expected an object with an ending"):
        write(s3_bucket.url("lists"))


def test_a_bucket_that_is_missing_is_told_without_the_key(s3_bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("S3_SECRET", "very-secret-key")
    url = s3_bucket.url("lists.csv").replace("://bucket", "://key:${S3_SECRET}@missing")
    with pytest.raises(ExportError, match=r"key:\$\{S3_SECRET\}@missing.*the object is as it was") as raised:
        write(url)
    assert "very-secret" not in str(raised.value)


@pytest.mark.parametrize("name", ["lists.csv", "lists.jsonl"])
def test_an_object_may_be_text(s3_bucket, name: str, tmp_path: Path) -> None:
    write(s3_bucket.url(name))
    with s3_bucket.file_system.open_input_stream(f"{s3_bucket.name}/{name}") as stored:
        assert b"b1" in stored.read()
