"""Rows of a real PostgreSQL and a real SQLite: types, streaming, what cannot be read, and nothing written."""

import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest

from recsys.config import ItemsConfig, LogConfig
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.catalogue import read_items
from recsys.data.ingest.configured import items_input, log_input
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns
from recsys.data.interactions import Interactions
from recsys.errors import ConfigError, DataError, TooManyRefusedError

DAY = 1_704_067_200
"""2024-01-01, UTC seconds."""


@pytest.fixture
def execute(postgres: str) -> Callable[..., Any]:
    """execute(statement): run it on the test's own database."""

    def run(statement: str) -> None:
        with psycopg.connect(postgres, autocommit=True) as connection:
            connection.execute(statement)  # type: ignore[call-overload]

    return run


def log_of(url: str, **settings: Any) -> LogConfig:
    return LogConfig.model_validate({"source": url, **settings})


def read(url: str, **settings: Any) -> tuple[Interactions, RowCounts]:
    log = log_of(url, **settings)
    return read_log(log_input(log), log)


def users(url: str, expression: str) -> list[str]:
    """The users that a constant of PostgreSQL is read as."""
    events, _ = read(url, query=f"SELECT {expression} AS \"user\", 'i' AS item")
    return list(events.users.decode(events.user_idx))


@pytest.mark.parametrize(
    ("expression", "user"),
    [
        ("7::int2", "7"),
        ("7::int8", "7"),
        ("12345678901234567890::numeric", "12345678901234567890"),
        ("7.00::numeric(8,2)", "7"),
        ("7::float8", "7"),
        ("'7'::varchar(9)", "7"),
        ("' é'", " é"),
        ("'00000000-0000-0000-0000-00000000000A'::uuid", "00000000-0000-0000-0000-00000000000a"),
        ("'\\x6162'::bytea", "ab"),
        ("'10.0.0.1'::inet", "10.0.0.1/32"),
    ],
)
def test_ids_of_every_type(postgres_server: str, expression: str, user: str) -> None:
    assert users(postgres_server, expression) == [user]


@pytest.mark.parametrize(
    ("expression", "holds"),
    [
        ("array['a']", "lists"),
        ("true", "truth values"),
        ("now()", "times"),
        ("'{}'::jsonb", "JSON"),
    ],
)
def test_what_is_no_id_is_named(postgres_server: str, expression: str, holds: str) -> None:
    query = f"SELECT {expression} AS \"user\", 'i' AS item"
    for ask in (lambda log: read_log(log_input(log), log), lambda log: log_input(log).check(Columns.of(log))):
        with pytest.raises(DataError, match=rf"column 'user' holds {holds}.*expected one id per row \(log.user\)"):
            ask(log_of(postgres_server, query=query))


@pytest.mark.parametrize(
    ("expression", "seconds"),
    [
        ("'2024-01-01 01:00+01'::timestamptz", DAY),
        ("'2024-01-01'::timestamp", DAY - 3_600),
        ("'2024-01-01'::date", DAY - 3_600),
        ("'2024-01-01T00:00:00Z'::text", DAY),
        (f"{DAY}::int8", DAY),
        (f"{DAY}.75::numeric", DAY),
        (f"{DAY}::float8", DAY),
    ],
)
def test_times_of_every_type(postgres_server: str, expression: str, seconds: int) -> None:
    query = f"SELECT 'u' AS \"user\", 'i' AS item, {expression} AS t"
    events, _ = read(postgres_server, query=query, timestamp="t", timezone="Europe/Berlin")
    assert events.timestamp is not None
    assert events.timestamp.tolist() == [seconds]


@pytest.mark.parametrize("kind", ["timestamptz", "timestamp", "date"])
def test_infinite_times_are_refused_by_row(postgres_server: str, kind: str, tmp_path: Path) -> None:
    values = f"VALUES ('u', 'i', now()::{kind}), ('u', 'i', 'infinity'::{kind}), ('u', 'i', '-infinity'::{kind})"
    log = log_of(
        postgres_server, query=f'SELECT * FROM ({values}) AS v("user", item, t)', timestamp="t", max_refused_share=1
    )
    events, counts = read_log(log_input(log), log, quarantine=tmp_path / "q.jsonl")
    assert (len(events), counts.refused) == (1, {"time_out_of_range": 2})
    assert (tmp_path / "q.jsonl").read_text().count("query 'SELECT * FROM (VALUES") == 2


@pytest.mark.parametrize(
    ("expression", "value"),
    [("1.25::numeric(9,4)", 1.25), ("3::int2", 3.0), ("0.5::real", 0.5), ("true", 1.0), ("'2.5'::money", 2.5)],
)
def test_values_of_every_type(postgres_server: str, expression: str, value: float) -> None:
    events, _ = read(postgres_server, query=f"SELECT 'u' AS \"user\", 'i' AS item, {expression} AS v", value="v")
    assert events.value is not None
    assert events.value.tolist() == [value]


def test_numbers_that_are_none_are_refused_by_row(postgres_server: str) -> None:
    rows = "('u','i',1.5), ('u','i','NaN'), ('u','i','Infinity'), ('u','i',NULL), ('u','i',1e200), ('u','i',0)"
    query = f'SELECT * FROM (VALUES {rows}) AS v("user", item, n)'.replace("1.5", "1.5::numeric")
    _, counts = read(postgres_server, query=query, value="n", max_refused_share=1)
    assert counts.accepted == 1
    assert counts.refused == {"non_finite_value": 3, "missing_value": 1, "non_positive_value": 1}


def test_kinds_are_enums_and_rows_are_named_by_number(postgres: str, execute: Callable[..., Any]) -> None:
    execute("CREATE TYPE kind AS ENUM ('view', 'buy', 'other')")
    execute("CREATE SCHEMA shop; CREATE TABLE shop.events (who int, what uuid, kind kind)")
    execute("INSERT INTO shop.events SELECT n, gen_random_uuid(), 'view' FROM generate_series(1, 30) n")
    execute(
        "INSERT INTO shop.events VALUES (NULL, gen_random_uuid(), 'buy'), (5, NULL, 'buy'), "
        "(5, gen_random_uuid(), 'other')"
    )
    log = {"table": "shop.events", "user": "who", "item": "what", "event": "kind"}
    with pytest.raises(TooManyRefusedError) as refused:
        read(postgres, **log, event_weights={"view": 1, "buy": 2})
    for line in (
        "1 x missing_user: the user's id is empty",
        "shop.events of postgresql",
        ":31\n",
        ":32\n",
        "found 'other'",
        ":33",
    ):
        assert line in str(refused.value)


def test_attributes_have_the_types_of_their_columns(postgres: str, execute: Callable[..., Any]) -> None:
    execute(
        "CREATE TABLE items (id int8, title text, price numeric(8,2), tags text[], meta jsonb, day date, new bool)"
    )
    execute("""INSERT INTO items VALUES (1, 'One', 9.50, '{a,b}', '{"x": 1}', '2024-02-03', true), (2, NULL, NULL,
            NULL, NULL, NULL, NULL), (3, 'Three', 0.25, '{}', '[1]', '2024-02-04', false)""")
    names = ("price", "tags", "meta", "day", "new")
    items = read_items(
        ItemsConfig(source=postgres, table="items", id="id", title="title", attributes=names)  # type: ignore[arg-type]
    )
    assert items.kinds == {
        "title": "text",
        "price": "number",
        "tags": "list",
        "meta": "text",
        "day": "date",
        "new": "boolean",
    }
    assert items.table.column("price").to_pylist() == [9.5, None, 0.25]
    assert items.table.column("tags").to_pylist() == [["a", "b"], None, []]
    assert items.table.column("meta").to_pylist() == ['{"x": 1}', None, "[1]"]


def test_a_table_with_every_type_of_sqlite_in_one_column(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as database, database:
        database.execute("CREATE TABLE events (user, item, value)")
        rows = [("u", 1, 2), (7, "i", 2.5), (8.0, b"bytes", "3"), ("u", 2**53 + 1, "x"), (None, "i", None)]
        database.executemany("INSERT INTO events VALUES (?, ?, ?)", rows * 30_000)
    events, counts = read(f"sqlite:///{tmp_path / 'a.db'}", table="events", value="value", max_refused_share=1)
    assert counts.to_dict()["refused"] == {"bad_value": 30_000, "missing_user": 30_000}
    assert set(events.users.decode(events.user_idx)) == {"u", "7", "8"}
    assert set(events.items.decode(events.item_idx)) == {"1", "i", "bytes"}


def test_rows_are_streamed(postgres: str) -> None:
    log = log_of(postgres, query='SELECT n % 999 AS "user", n AS item FROM generate_series(1, 1200000) AS n')
    batches = log_input(log).batches(Columns.of(log))
    first = next(batches)()
    assert _is_reading(postgres)  # the server waits until more is taken
    assert len(first) < 1_000_000
    started = time.monotonic()
    batches.close()  # type: ignore[attr-defined]
    while _is_reading(postgres):
        assert time.monotonic() - started < 60
        time.sleep(0.02)


def _is_reading(url: str) -> bool:
    with psycopg.connect(url) as other:
        found = other.execute("SELECT query FROM pg_stat_activity WHERE application_name = 'recsys'").fetchall()
        return "COPY" in str(found)


def test_the_estimate_is_the_planners(postgres: str, execute: Callable[..., Any]) -> None:
    execute('CREATE TABLE events AS SELECT n % 10 AS "user", n AS item FROM generate_series(1, 5000) AS n')
    execute("ANALYZE events")
    assert log_input(log_of(postgres, table="events")).estimate_rows() == 5_000
    query = 'SELECT * FROM events WHERE "user" = 3'
    assert log_input(log_of(postgres, query=query)).estimate_rows() == pytest.approx(500, rel=0.5)


def test_sqlite_estimates_by_the_largest_table_that_is_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "a.db")) as database, database:
        database.execute('CREATE TABLE events ("user", item)')
        database.execute("CREATE TABLE other (x)")
        database.execute("CREATE VIEW seen AS SELECT * FROM events AS e")
        database.executemany("INSERT INTO events VALUES (?, 1)", [(number,) for number in range(40)])
        database.executemany("INSERT INTO other VALUES (?)", [(number,) for number in range(90)])
    url = f"sqlite:///{tmp_path / 'a.db'}"
    assert log_input(log_of(url, table="seen")).estimate_rows() == 40
    assert log_input(log_of(url, query="SELECT x AS user, x AS item FROM other o")).estimate_rows() == 90


@contextmanager
def refused(*parts: str) -> Iterator[None]:
    with pytest.raises((DataError, ConfigError)) as error:
        yield
    for part in parts:
        assert part in str(error.value)


def test_nothing_is_written(postgres: str, execute: Callable[..., Any]) -> None:
    execute('CREATE TABLE events AS SELECT 1 AS "user", 2 AS item')
    execute(
        'CREATE FUNCTION gone() RETURNS TABLE ("user" int, item int) '
        "LANGUAGE sql AS 'DELETE FROM events RETURNING *'"
    )
    execute("CREATE SEQUENCE numbers")
    with refused("log.source", "only read, and nothing was changed"):
        read(postgres, query="SELECT * FROM gone()")
    with refused("only read"):
        read(postgres, query="SELECT nextval('numbers') AS \"user\", 1 AS item")
    with refused("data-modifying statement"):
        read(postgres, query="WITH x AS (DELETE FROM events RETURNING *) SELECT * FROM x")
    for escape in ("SELECT 1) AS x; DELETE FROM events; --", "SELECT 1; COMMIT; DELETE FROM events"):
        with refused("syntax error"):
            read(postgres, query=escape)
    with psycopg.connect(postgres) as database:
        assert database.execute("SELECT count(*) FROM events").fetchone() == (1,)


def test_sqlite_is_not_written_either(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    with closing(sqlite3.connect(path)) as database, database:
        database.execute("CREATE TABLE events (user, item)")
        database.execute("INSERT INTO events VALUES (1, 2)")
    before = path.read_bytes()
    read(f"sqlite:///{path}", query="SELECT * FROM events) ; DELETE FROM events; --")  # it reads the first statement
    assert path.read_bytes() == before
    with refused("no such file"):
        read(f"sqlite:///{tmp_path / 'b.db'}", table="events")
    assert not (tmp_path / "b.db").exists()
    with refused("no such table: event", "did you mean 'events'?"):
        read(f"sqlite:///{path}", table="event")


def test_what_is_wrong_is_named(postgres: str, execute: Callable[..., Any]) -> None:
    execute('CREATE TABLE events (user_id text, item text); CREATE TABLE empty ("user" text, item text)')
    with refused("no column 'user' (log.user)", "did you mean 'user_id'?", "columns found: 'user_id', 'item'"):
        read(postgres, table="events")
    with refused("more than one column 'item'"):
        read(postgres, query="SELECT user_id, item, item FROM events", user="user_id")
    with refused('relation "event" does not exist', "did you mean 'events'?", "tables found: empty, events"):
        read(postgres, table="event")
    with refused("empty of postgresql", "holds no rows"):
        read(postgres, table="empty")
    with refused("longer than statement_timeout (1 s)"):
        read(postgres, query='SELECT pg_sleep(9)::text AS "user", 1 AS item', statement_timeout=1)
    item = "(CASE WHEN n < 500000 THEN '1' ELSE 'x' END)::int"
    late = f'SELECT n AS "user", {item} AS item FROM generate_series(1, 600000) n'
    with refused('invalid input syntax for type integer: "x"'):
        read(postgres, query=late)


def test_who_does_not_answer_is_not_waited_for(tmp_path: Path) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as silent:
        url = f"postgresql://shop@127.0.0.1:{silent.getsockname()[1]}/shop"
        with refused("log.source", "Failed to connect", "timeout expired"):
            read(url, table="events", connect_timeout=2)
    with locked(tmp_path / "a.db"), refused("log.source", "database is locked"):
        read(f"sqlite:///{tmp_path / 'a.db'}", table="events", connect_timeout=1)


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """A database that another process holds; within one process, locks of POSIX do not count."""
    script = (
        "import sqlite3, sys; database = sqlite3.connect(sys.argv[1], isolation_level=None);"
        "database.execute('CREATE TABLE events (user, item)'); database.execute('BEGIN EXCLUSIVE');"
        "print('locked', flush=True); sys.stdin.read()"
    )
    command = [sys.executable, "-c", script, str(path)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"locked\n"
        yield
        holder.communicate()


def test_a_column_may_change_its_type_between_two_nights(postgres: str, execute: Callable[..., Any]) -> None:
    execute('CREATE TABLE events AS SELECT n % 5 AS "user", n % 3 AS item FROM generate_series(1, 30) n')
    before, _ = read(postgres, table="events")
    execute("ALTER TABLE events ALTER item TYPE text")
    after, _ = read(postgres, table="events")
    assert after.items.decode(after.item_idx) == before.items.decode(before.item_idx)
    execute("ALTER TABLE events ALTER item TYPE text[] USING array[item]")
    with refused("column 'item' holds lists"):
        read(postgres, table="events")


def test_the_fingerprint_is_the_same_after_a_read_and_without_one(postgres: str, execute: Callable[..., Any]) -> None:
    execute('CREATE TABLE events AS SELECT n % 7 AS "user", n % 3 AS item, n AS t FROM generate_series(1, 90) n')
    log = log_of(postgres, table="events")
    source = log_input(log)
    read_log(source, log)
    prints = {source.fingerprint(), log_input(log).fingerprint()}
    prints.add(log_input(log_of(postgres, query="SELECT * FROM events ORDER BY random()")).fingerprint())
    assert len(prints) == 1
    assert log_input(log_of(postgres, query="SELECT * FROM events LIMIT 89")).fingerprint() not in prints


def test_marks_change_when_a_table_is_written_to(postgres: str, execute: Callable[..., Any]) -> None:
    execute("CREATE TABLE items (item int); CREATE TABLE other (x int); CREATE VIEW shown AS SELECT * FROM items")
    source = items_input(ItemsConfig(source=postgres, table="shown"))  # type: ignore[arg-type]
    execute("INSERT INTO items VALUES (1)")
    before = settled(source.marks)
    execute("INSERT INTO other VALUES (1)")
    assert settled(source.marks) == before
    assert list(before) == ["public.items"]
    execute("UPDATE items SET item = 2")
    assert settled(source.marks, other_than=before) != before


def settled(marks: Callable[[], object], *, other_than: object = None) -> Any:
    """The marks once the sessions that wrote have told the server, which they do when they end."""
    found = marks()
    for _ in range(40):
        time.sleep(0.05)
        last, found = found, marks()
        if last == found and found != other_than:
            break
    return found
