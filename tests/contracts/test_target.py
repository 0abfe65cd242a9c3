"""What every target of lists does: whole new lists, or the old ones, whatever happens; against real servers."""

import json
import sqlite3
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pa_parquet
import pytest
import redis

from recsys.address import Address
from recsys.export import SCHEMA, Target, target_of
from recsys.export.files import FileTarget

USERS = ['a,b "c"', "new\nline", "Zoë", "x*y[1]?", "\\back", "u1", "u2"]
ITEMS = ['"', "b,1", "ü", "{}"]
Rows = list[tuple[str, str, int, float, str]]


def lists(version: str, users: list[str] = USERS) -> pa.Table:
    """Three items per user; scores that are no short decimal."""
    rows = [
        (user, ITEMS[(at + rank) % 4], rank, (at + 1) / (3 * rank), version)
        for at, user in enumerate(users)
        for rank in (1, 2, 3)
    ]
    return pa.table(
        [pa.array(column, kind) for column, kind in zip(zip(*rows, strict=True), SCHEMA.types, strict=True)],
        schema=SCHEMA,
    )


def rows_of(table: pa.Table) -> Rows:
    return sorted(zip(*(column.to_pylist() for column in table.columns), strict=True))


@dataclass
class Case:
    """A target, how a reader reads it, and the names of all that is there, so that leftovers are seen."""

    target: Target
    read: Callable[[], Rows]
    names: Callable[[], list[str]]
    url: str

    def write(self, version: str, users: list[str] = USERS) -> None:
        with self.target.open(version) as writer:
            for user in users:
                writer.write(lists(version).filter(pc.equal(lists(version)["user_id"], user)))


@pytest.fixture(params=["file", "object", "sqlite", "postgresql", "redis"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    made: Case = request.getfixturevalue(f"{request.param}_case")
    return made


@pytest.fixture
def file_case(tmp_path: Path) -> Case:
    path = tmp_path / "lists.parquet"

    def names() -> list[str]:
        return sorted(each.name for each in tmp_path.iterdir())

    return Case(FileTarget(path), lambda: rows_of(pa_parquet.read_table(path)), names, str(path))


@pytest.fixture
def object_case(s3_bucket) -> Case:
    store, url = s3_bucket.file_system, s3_bucket.url("folder/lists.parquet")

    def names() -> list[str]:
        selector = pa.fs.FileSelector(s3_bucket.name, recursive=True)
        return sorted(each.base_name for each in store.get_file_info(selector) if each.is_file)

    def read() -> Rows:
        return rows_of(pa_parquet.read_table(f"{s3_bucket.name}/folder/lists.parquet", filesystem=store))

    return Case(target_of(Address(url)), read, names, url)


@pytest.fixture
def sqlite_case(tmp_path: Path) -> Case:
    file = tmp_path / "shop.db"

    def asked(query: str) -> list:
        with closing(sqlite3.connect(file)) as connection:
            return connection.execute(query).fetchall()

    def names() -> list[str]:
        return sorted(name for (name,) in asked("SELECT name FROM sqlite_schema WHERE type = 'table'"))

    url = f"sqlite:///{file}/lists"
    return Case(target_of(Address(url)), lambda: sorted(asked("SELECT * FROM lists")), names, url)


@pytest.fixture
def postgresql_case(postgres: str) -> Case:
    def asked(query: str) -> list:
        with psycopg.connect(postgres) as connection:
            return connection.execute(query).fetchall()

    tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace ORDER BY 1"
    url = postgres.replace("?", "/public.lists?")

    def names() -> list[str]:
        return [name for (name,) in asked(tables)]

    def read() -> Rows:
        return sorted((*row[:3], _f32(row[3]), row[4]) for row in asked("SELECT * FROM lists"))

    return Case(target_of(Address(url)), read, names, url)


@pytest.fixture
def redis_case(redis_url: str) -> Iterator[Case]:
    client = redis.Redis.from_url(redis_url, decode_responses=True)

    def read() -> Rows:
        generation = client.get("recs:current")
        found = []
        for key in client.scan_iter(match=f"recs:{generation}:*"):
            listed = json.loads(client.get(key) or "")
            user = key.removeprefix(f"recs:{generation}:")
            version = generation.rpartition("-")[0]
            found += [(user, it["item_id"], rank, _f32(it["score"]), version) for rank, it in enumerate(listed, 1)]
        return sorted(found)

    def names() -> list[str]:
        lasting = (key for key in client.scan_iter() if client.ttl(key) == -1)
        return sorted({key.removeprefix(f"recs:{client.get('recs:current')}").partition(":")[0] for key in lasting})

    yield Case(target_of(Address(f"{redis_url}?prefix=recs:")), read, names, f"{redis_url}?prefix=recs:")
    client.close()


def _f32(value: float) -> float:
    return pa.scalar(value, pa.float32()).as_py()


def test_what_is_read_back_is_what_was_written(case: Case) -> None:
    case.write("v1")
    assert case.read() == rows_of(lists("v1"))


def test_new_lists_replace_all_old_ones_and_leave_nothing_else(case: Case) -> None:
    case.write("v1")
    before = case.names()
    case.write("v2", USERS[:3])
    assert case.read() == rows_of(lists("v2", USERS[:3]))
    assert case.names() == before


def test_a_failed_export_leaves_the_old_lists_and_nothing_else(case: Case) -> None:
    case.write("v1")
    before = case.names()
    with pytest.raises(KeyboardInterrupt), case.target.open("v2") as writer:
        writer.write(lists("v2"))
        raise KeyboardInterrupt
    assert case.read() == rows_of(lists("v1"))
    assert case.names() == before


def test_a_first_export_that_fails_leaves_nothing(case: Case) -> None:
    with pytest.raises(KeyboardInterrupt), case.target.open("v1") as writer:
        writer.write(lists("v1"))
        raise KeyboardInterrupt
    assert case.names() == []


def test_a_killed_export_leaves_the_old_lists_and_the_next_one_tidies_up(case: Case, tmp_path: Path) -> None:
    case.write("v1")
    before = case.names()
    pa_parquet.write_table(lists("v2"), tmp_path / "v2.rows")
    program = textwrap.dedent(
        """
        import sys, time
        from pathlib import Path
        import pyarrow.parquet
        from recsys.address import Address, is_address
        from recsys.export import target_of
        from recsys.export.files import FileTarget
        where, rows = sys.argv[1:]
        target = target_of(Address(where)) if is_address(where) else FileTarget(Path(where))
        with target.open("v2") as writer:
            writer.write(pyarrow.parquet.read_table(rows))
            print("written", flush=True)
            time.sleep(60)
        """
    )
    command = [sys.executable, "-c", program, case.url, str(tmp_path / "v2.rows")]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written\n"
        process.kill()
    (tmp_path / "v2.rows").unlink()
    assert case.read() == rows_of(lists("v1"))
    _after_the_lock_of_a_killed_export(case)
    case.write("v3")
    assert case.read() == rows_of(lists("v3"))
    assert case.names() == before


def _after_the_lock_of_a_killed_export(case: Case) -> None:
    if case.url.startswith("redis"):
        with redis.Redis.from_url(case.url.partition("?")[0]) as client:
            assert 0 < client.ttl("recs:exporting") <= 120
            client.delete("recs:exporting")


def test_a_reader_sees_whole_lists_of_one_version_all_the_time(case: Case) -> None:
    case.write("v0")
    expected = [rows_of(lists(f"v{number}")) for number in range(6)]
    seen, ended = [], threading.Event()

    def ask() -> None:
        while not ended.is_set():
            seen.append(case.read())

    with _running(ask, ended):
        for number in range(1, 6):
            case.write(f"v{number}")
    assert seen
    assert all(rows in expected for rows in seen)


@contextmanager
def _running(ask: Callable[[], None], ended: threading.Event) -> Iterator[None]:
    thread = threading.Thread(target=ask)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
