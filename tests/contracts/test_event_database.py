"""What holds of the event store's database, whether it is SQLite or PostgreSQL."""

import threading
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from recsys.errors import ConfigError, EventStoreError
from recsys.event_store.database import Database, open_database
from recsys.event_store.schema import Schema

NOTES = Schema(
    "notes",
    (("CREATE TABLE notes (seq {sequence}, note TEXT UNIQUE, size DOUBLE PRECISION, body {bytes})",),),
)
LATER = Schema("notes", (*NOTES.migrations, ("ALTER TABLE notes ADD COLUMN color TEXT",)))
INSERT = "INSERT INTO notes (note, size) VALUES (?, ?) ON CONFLICT (note) DO NOTHING"
Open = Callable[..., Database]


def notes(database: Database) -> list[str]:
    with database.read() as queries:
        return [note for (note,) in queries.fetch("SELECT note FROM notes ORDER BY seq")]


class TestEventDatabase:
    def test_what_was_committed_is_there_for_others(self, reopen_database: Open) -> None:
        with reopen_database(NOTES).transaction() as statements:
            assert statements.executemany(INSERT, [("a", 1.5), ("b", None), ("a", 2.0)]) == 2
            assert statements.execute(INSERT, ("b", 1.0)) == 0
            assert statements.execute("UPDATE notes SET size = size + ?, body = ?", (1, b"\x00%?")) == 2
        with reopen_database(NOTES).read() as queries:
            assert queries.fetch("SELECT note, size FROM notes ORDER BY note") == [("a", 2.5), ("b", None)]
            assert queries.fetch("SELECT body FROM notes WHERE note LIKE 'a%'") == [(b"\x00%?",)]

    def test_rows_that_are_inserted_together_count_once_each(self, reopen_database: Open) -> None:
        many = [(f"n{at % 1200}", float(at)) for at in range(1300)]
        with reopen_database(NOTES).transaction() as statements:
            into, conflict = "INSERT INTO notes (note, size)", "ON CONFLICT (note) DO NOTHING"
            assert statements.insert(into, many, conflict=conflict) == 1200
            assert statements.insert(into, [*many[:3], ("new", None)], conflict=conflict) == 1
            assert statements.insert(into, [], conflict=conflict) == 0
        with reopen_database(NOTES).read() as queries:
            assert queries.fetch("SELECT COUNT(*), MAX(size) FROM notes") == [(1201, 1199.0)]
        assert notes(reopen_database(NOTES))[:3] == ["n0", "n1", "n2"]

    def test_nothing_of_a_transaction_that_raises_is_kept(self, reopen_database: Open) -> None:
        database = reopen_database(NOTES)
        with pytest.raises(KeyError), database.transaction() as statements:
            statements.execute(INSERT, ("a", 1.0))
            raise KeyError
        with pytest.raises(EventStoreError) as failed, database.transaction() as statements:
            statements.execute(INSERT, ("b", 1.0))
            statements.execute("INSERT INTO no_such_table VALUES (1)")
        assert failed.value.reason == "failed"
        assert notes(database) == []

    def test_tables_are_migrated_forward_with_what_they_hold(self, reopen_database: Open) -> None:
        with reopen_database(NOTES).transaction() as statements:
            statements.execute(INSERT, ("a", 1.0))
        with reopen_database(LATER).read() as queries:
            assert queries.fetch("SELECT note, color FROM notes") == [("a", None)]
        with pytest.raises(EventStoreError, match="version 2; this release knows 1"), reopen_database(NOTES).read():
            pass

    def test_processes_that_start_together_make_the_tables_once(self, reopen_database: Open) -> None:
        def start() -> None:
            with reopen_database(LATER).transaction() as statements:
                statements.execute(INSERT, (threading.current_thread().name, 1.0))

        run_together(start, 6)
        assert len(notes(reopen_database(LATER))) == 6

    def test_sequence_numbers_grow_in_the_order_of_the_commits(self, reopen_database: Open) -> None:
        """A reader that asks for what has a higher number than the last one read misses nothing."""
        database, reader, found = reopen_database(NOTES), reopen_database(NOTES), list[str]()

        def write(writer: int) -> None:
            for at in range(25):
                with database.transaction() as statements:
                    for part in range(3):
                        statements.execute(INSERT, (f"{writer}-{at}-{part}", 1.0))

        writers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
        for writer in writers:
            writer.start()
        last, alive = 0, True
        while alive:
            alive = any(writer.is_alive() for writer in writers)  # before the look: the last one sees everything
            with reader.read() as queries:
                rows = queries.fetch("SELECT seq, note FROM notes WHERE seq > ? ORDER BY seq", (last,))
            last = rows[-1][0] if rows else last
            found += [note for _, note in rows]
        assert len(found) == 300
        assert found == notes(reader)

    def test_a_read_sees_one_state(self, reopen_database: Open) -> None:
        database, other = reopen_database(NOTES), reopen_database(NOTES)
        with database.read() as queries:
            before = queries.fetch("SELECT count(*) FROM notes")
            with other.transaction() as statements:
                statements.execute(INSERT, ("a", 1.0))
            assert queries.fetch("SELECT count(*) FROM notes") == before
        assert notes(database) == ["a"]

    def test_a_transaction_waits_for_another_one_only_so_long(self, reopen_database: Open) -> None:
        impatient = reopen_database(NOTES, busy_seconds=0.05)
        notes(impatient)
        with reopen_database(NOTES).transaction() as statements:
            statements.execute(INSERT, ("a", 1.0))
            with pytest.raises(EventStoreError) as failed, impatient.transaction():
                pass
            assert failed.value.reason == "busy"
            assert notes(impatient) == []
        with impatient.transaction() as statements:
            statements.execute(INSERT, ("b", 1.0))
        assert notes(impatient) == ["a", "b"]


def run_together(work: Callable[[], None], n: int) -> None:
    failures: list[BaseException] = []

    def guarded() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=guarded) for _ in range(n)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


class TestPostgres:
    def test_a_connection_that_the_server_ended_is_made_anew(self, postgres: str) -> None:
        database = open_database(postgres)
        database.require(NOTES)
        assert notes(database) == []
        with psycopg.connect(postgres, autocommit=True) as other:
            others = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recsys'"
            other.execute(f"{others} AND datname = current_database()")
        with database.transaction() as statements:
            statements.execute(INSERT, ("a", 1.0))
        assert notes(database) == ["a"]
        database.close()

    def test_a_server_that_is_away_is_named_without_its_password(self) -> None:
        database = open_database("postgresql://shop:hunter2secret@127.0.0.1:1/shop")
        with pytest.raises(EventStoreError) as failed, database.read():
            pass
        assert failed.value.reason == "unavailable"
        assert "shop:***@127.0.0.1" in str(failed.value)
        assert "hunter2secret" not in str(failed.value)

    def test_a_database_that_may_only_be_read_says_so(self, postgres: str) -> None:
        writable = open_database(postgres)
        writable.require(NOTES)
        assert notes(writable) == []
        writable.close()
        database = open_database(f"{postgres}&options=-cdefault_transaction_read_only%3Don")
        database.require(NOTES)
        assert notes(database) == []
        with pytest.raises(EventStoreError) as failed, database.transaction() as statements:
            statements.execute(INSERT, ("a", 1.0))
        assert failed.value.reason == "read_only"
        database.close()


class TestSqlite:
    def test_a_file_that_was_replaced_is_opened_anew(self, tmp_path: Path) -> None:
        database = open_database(tmp_path / "events.db")
        database.require(NOTES)
        with database.transaction() as statements:
            statements.execute(INSERT, ("a", 1.0))
        for file in tmp_path.iterdir():
            file.unlink()
        assert notes(database) == []
        database.close()

    def test_a_folder_that_is_missing_and_a_file_that_is_no_database(self, tmp_path: Path) -> None:
        with pytest.raises(EventStoreError) as failed, open_database(tmp_path / "none" / "events.db").read():
            pass
        assert failed.value.reason == "unavailable"
        assert "none/events.db" in str(failed.value)
        (tmp_path / "events.db").write_bytes(b"no database" * 1000)
        with pytest.raises(EventStoreError) as failed, open_database(tmp_path / "events.db").read() as queries:
            queries.fetch("SELECT count(*) FROM sqlite_master")
        assert failed.value.reason == "damaged"

    def test_a_disk_without_room_says_so(self, tmp_path: Path) -> None:
        database = open_database(tmp_path / "events.db")
        database.require(NOTES)
        with pytest.raises(EventStoreError) as failed, database.transaction() as statements:
            statements.execute("PRAGMA max_page_count = 20")
            statements.executemany(INSERT, [("x" * 1000 + str(at), 1.0) for at in range(1000)])
        assert failed.value.reason == "full"
        assert notes(database) == []
        database.close()


def test_other_addresses_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"mysql://shop@host/name: expected a path"):
        open_database("mysql://shop@host/name")
