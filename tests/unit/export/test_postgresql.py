"""Lists in a table of a real PostgreSQL: what the old table hands on, who waits for whom, and what goes wrong."""

import threading
from collections.abc import Callable
from typing import Any

import psycopg
import pyarrow as pa
import pytest

from recsys.address import Address
from recsys.errors import ConfigError, ExportError
from recsys.export import SCHEMA
from recsys.export.postgresql import PostgresTarget

Asked = Callable[..., list[tuple[Any, ...]]]


@pytest.fixture
def ask(postgres: str) -> Asked:
    def asked(query: str, *, user: str | None = None) -> list[tuple[Any, ...]]:
        url = postgres if user is None else postgres.replace("postgres:@", f"{user}:@")
        with psycopg.connect(url) as connection:
            cursor = connection.execute(query)
            return cursor.fetchall() if cursor.description else []

    return asked


def rows(version: str) -> pa.Table:
    return pa.table([["u1", "u1"], ["b1", "b2"], [1, 2], [0.5, 0.25], [version, version]], schema=SCHEMA)


def target(postgres: str, table: str = "lists", **options: Any) -> PostgresTarget:
    return PostgresTarget(Address(postgres.replace("?", f"/{table}?")), **options)


def write(to: PostgresTarget, version: str = "v1") -> None:
    with to.open(version) as writer:
        writer.write(rows(version))


def test_one_users_list_is_found_by_an_index(postgres: str, ask: Asked) -> None:
    for version in ("v1", "v2"):
        write(target(postgres), version)
        ((definition,),) = ask("SELECT indexdef FROM pg_indexes WHERE tablename = 'lists'")
        assert definition.endswith("USING btree (user_id, rank)")


def test_the_table_says_what_it_is(postgres: str, ask: Asked) -> None:
    write(target(postgres))
    assert ask("SELECT obj_description('lists'::regclass)") == [("lists of v1, written by recsys export",)]
    types = "SELECT attname::text, atttypid::regtype::text FROM pg_attribute WHERE attrelid = 'lists'::regclass"
    assert dict(ask(f"{types} AND attnum > 0")) == {
        "user_id": "text",
        "item_id": "text",
        "rank": "integer",
        "score": "real",
        "model_version": "text",
    }


@pytest.fixture
def roles(postgres: str, ask: Asked) -> Any:
    """An owner, a writer who is a member of it, a reader, and somebody who may do nothing."""
    ask("CREATE ROLE shop_owner; CREATE ROLE shop_writer LOGIN IN ROLE shop_owner; CREATE ROLE shop_reader LOGIN")
    ask("CREATE ROLE nobody LOGIN; GRANT CREATE, USAGE ON SCHEMA public TO shop_owner")
    yield
    for role in ("shop_owner", "shop_writer", "shop_reader", "nobody"):
        ask(f"DROP OWNED BY {role} CASCADE")
    ask("DROP ROLE shop_owner, shop_writer, shop_reader, nobody")


ACCESS = "SELECT relowner::regrole::text, relacl::text[] FROM pg_class WHERE oid = 'lists'::regclass"


def test_owner_and_grants_stay_and_no_others_come(roles: Any, postgres: str, ask: Asked) -> None:
    write(target(postgres))
    ask("ALTER TABLE lists OWNER TO shop_owner; GRANT SELECT ON lists TO shop_reader WITH GRANT OPTION")
    ask("GRANT SELECT (item_id), UPDATE (item_id) ON lists TO nobody; GRANT INSERT ON lists TO PUBLIC")
    before = ask(ACCESS)
    ask("ALTER DEFAULT PRIVILEGES FOR ROLE shop_writer IN SCHEMA public GRANT ALL ON TABLES TO nobody")
    write(target(postgres.replace("postgres:@", "shop_writer:@")), "v2")
    assert ask("SELECT DISTINCT model_version FROM lists", user="shop_reader") == [("v2",)]
    assert [(owner, sorted(grants)) for owner, grants in ask(ACCESS)] == [(o, sorted(g)) for o, g in before]
    assert ask("SELECT item_id FROM lists", user="nobody") == [("b1",), ("b2",)]
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        ask("SELECT * FROM lists", user="nobody")


def test_other_indexes_and_constraints_stay(postgres: str, ask: Asked) -> None:
    write(target(postgres))
    ask("CREATE INDEX by_item ON lists (item_id) WHERE rank <= 10")
    ask("ALTER TABLE lists ADD PRIMARY KEY (user_id, item_id)")
    for version in ("v2", "v3"):
        write(target(postgres), version)
        found = [
            row[0].partition(" USING ")[2] for row in ask("SELECT indexdef FROM pg_indexes WHERE tablename = 'lists'")
        ]
        assert sorted(found) == [
            "btree (item_id) WHERE (rank <= 10)",
            "btree (user_id, item_id)",
            "btree (user_id, rank)",
        ]
        assert ask("SELECT contype::text FROM pg_constraint WHERE conrelid = 'lists'::regclass AND contype = 'p'")


FOREIGN_KEY = "ALTER TABLE lists ADD FOREIGN KEY (item_id) REFERENCES parent NOT VALID"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        (
            "DROP TABLE lists; CREATE TABLE lists (id int, total int)",
            "something else: its columns are id, total, exp",
        ),
        ("DROP TABLE lists; CREATE VIEW lists AS SELECT 1 AS user_id", "this is a view"),
        ("CREATE VIEW shown AS SELECT item_id FROM lists", "a view that reads it: shown"),
        ("ALTER TABLE lists ENABLE ROW LEVEL SECURITY", "row-level security"),
        (f"CREATE TABLE parent (id text PRIMARY KEY); {FOREIGN_KEY}", "a foreign key: lists_item_id_fkey"),
    ],
)
def test_what_a_fresh_table_would_lose_is_not_replaced(postgres: str, ask: Asked, made: str, message: str) -> None:
    write(target(postgres))
    ask(made)
    with pytest.raises(ConfigError, match=f"{message}.*not replaced: name another table"):
        write(target(postgres), "v2")


def test_a_long_reader_delays_the_swap_and_blocks_nobody(postgres: str, ask: Asked) -> None:
    write(target(postgres))
    with psycopg.connect(postgres) as reader:
        reader.execute("SELECT * FROM lists LIMIT 1")
        thread = threading.Thread(target=write, args=(target(postgres), "v2"))
        thread.start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'LOCK TABLE%'"
        while not ask(waiting):
            pass
        assert ask("SELECT DISTINCT model_version FROM lists") == [("v1",)]
        assert thread.is_alive()
    thread.join(30)
    assert ask("SELECT DISTINCT model_version FROM lists") == [("v2",)]


def test_a_reader_who_never_ends_fails_the_export(postgres: str, ask: Asked) -> None:
    write(target(postgres))
    with psycopg.connect(postgres) as reader:
        reader.execute("SELECT * FROM lists LIMIT 1")
        with pytest.raises(ExportError, match=r"has held the table for 0 s.*the table is as it was"):
            write(target(postgres, patience=0), "v2")
    assert ask("SELECT DISTINCT model_version FROM lists") == [("v1",)]


def test_a_prepared_question_that_waits_for_the_swap_gets_the_new_lists(postgres: str) -> None:
    write(target(postgres))
    with psycopg.connect(postgres, autocommit=True, prepare_threshold=0) as reader:
        for version in ("v1", "v2", "v3"):
            write(target(postgres), version)
            assert reader.execute("SELECT DISTINCT model_version FROM lists").fetchall() == [(version,)]


def test_a_server_that_drops_the_connection(postgres: str, ask: Asked) -> None:
    write(target(postgres))
    with pytest.raises(ExportError, match="the table is as it was"), target(postgres).open("v2") as writer:
        ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recsys export'")
        writer.write(rows("v2"))
    assert ask("SELECT DISTINCT model_version FROM lists") == [("v1",)]


def test_whoever_may_not_write_is_told_before_any_list(roles: Any, postgres: str) -> None:
    nobody = target(postgres.replace("postgres:@", "nobody:@"))
    with pytest.raises(ExportError, match="permission denied for schema public"), nobody.open("v1"):
        pytest.fail("lists were asked for")


def test_a_database_that_is_read_only(postgres: str) -> None:
    with pytest.raises(ExportError, match="cannot execute CREATE TABLE in a read-only transaction"):
        write(target(postgres + "&options=-c%20default_transaction_read_only%3Don"))


def test_an_id_that_postgresql_cannot_hold(postgres: str) -> None:
    with pytest.raises(ExportError, match="invalid byte sequence"), target(postgres).open("v1") as writer:
        writer.write(pa.table([["a\0b"], ["b1"], [1], [0.5], ["v1"]], schema=SCHEMA))


def test_a_missing_schema_or_database_is_named(postgres: str) -> None:
    with pytest.raises(ExportError, match='schema "nowhere" does not exist'):
        write(target(postgres, "nowhere.lists"))
    with pytest.raises(ExportError, match=r'cannot connect: .*database "nothing" does not exist'):
        write(
            PostgresTarget(Address(postgres.partition("/test_")[0] + "/nothing/lists?" + postgres.partition("?")[2]))
        )


def test_a_server_that_is_gone_is_told_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGPASSWORD", "very secret")
    gone = PostgresTarget(Address("postgresql://shop:${PGPASSWORD}@127.0.0.1:1/shop/lists"))
    with pytest.raises(ExportError, match=r"shop:\$\{PGPASSWORD\}@127.*cannot connect: .*refused") as raised:
        write(gone)
    assert "secret" not in str(raised.value)


def test_the_table_may_stand_apart_from_the_address(
    postgres: str, ask: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", postgres)
    ask('CREATE SCHEMA "My Shop"')
    write(PostgresTarget(Address("${DATABASE_URL}"), 'My Shop.Lists "1"'))
    assert ask('SELECT count(*) FROM "My Shop"."Lists ""1"""') == [(2,)]


@pytest.mark.parametrize(
    ("address", "table", "message"),
    [
        ("postgresql://h/db", None, "names no table"),
        ("postgresql://h/db/", None, "names no table"),
        ("postgresql://h/db/a", "b", "names 2 tables"),
        ("postgresql://h/db/a/b", None, "names 2 tables"),
        ("postgresql://h/db/.b", None, "got '.b' as the table"),
        ("postgresql://h/db/a.", None, "got 'a.' as the table"),
        ("postgresql://h/db/" + "x" * 64, None, "as the table"),
    ],
)
def test_an_address_without_one_table_is_refused(address: str, table: str | None, message: str) -> None:
    with pytest.raises(ConfigError, match=f"{message}.*expected postgresql://user@host/database/table"):
        write(PostgresTarget(Address(address), table))
