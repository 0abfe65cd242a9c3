"""Incremental nights: the matrix of a whole read, from kept rows and the newest ones."""

import random
import sqlite3
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pyarrow.parquet as pq
import pytest

from pipelines.steps.prepare import prepare
from pipelines.steps.summaries import PrepareSummary
from pipelines.steps.workspace import Workspace
from recsys.errors import ConfigError, DataError
from recsys.pipeline_config import PipelineConfig, load_config
from recsys.progress import silent

DAY = 86_400
START = 1_700_000_000
Row = tuple[str | None, str, int | None]


@dataclass
class Shop:
    """A table of events in a database. `unit`: how its times are written."""

    url: str
    unit: str
    column: str
    as_value: Callable[[int], object]

    def run(self, statement: str, rows: list[tuple[object, ...]] | None = None) -> None:
        if self.url.startswith("sqlite"):
            with closing(sqlite3.connect(self.url.removeprefix("sqlite:///"))) as database, database:
                database.executemany(statement, rows or [()])
        else:
            with psycopg.connect(self.url) as database, database.cursor() as cursor:
                cursor.executemany(statement.replace("?", "%s"), rows or [()])

    def add(self, rows: list[Row]) -> None:
        values = [(user, item, at if at is None else self.as_value(at)) for user, item, at in rows]
        self.run("INSERT INTO events VALUES (?, ?, ?)", values)

    def config(self, folder: Path, **overrides: object) -> PipelineConfig:
        path = folder / "pipeline.toml"
        path.write_text(
            f"workspace = 'work'\n[log]\nsource = '{self.url}'\n"
            "query = 'SELECT * FROM events ORDER BY at, user_id, item'\n"
            f"user = 'user_id'\nitem = 'item'\ntimestamp = 'at'\ntimestamp_unit = '{self.unit}'\n"
            "incremental = true\nlate = '2d'\nmax_refused_share = 0.5\n[prepare]\nhalf_life_days = 30\n",
            encoding="utf-8",
        )
        return load_config(path, overrides=overrides)


def _moment(at: int) -> datetime:
    return datetime.fromtimestamp(at, UTC)


KINDS: dict[str, tuple[str, str, Callable[[int], object]]] = {
    "postgresql timestamptz": ("auto", "timestamptz", _moment),
    "postgresql timestamp": ("auto", "timestamp", lambda at: _moment(at).replace(tzinfo=None)),
    "postgresql date": ("auto", "date", lambda at: _moment(at).date()),
    "postgresql bigint": ("ms", "bigint", lambda at: at * 1_000),
    "sqlite iso": ("iso", "TEXT", lambda at: _moment(at).isoformat(sep=" ")),
    "sqlite integer": ("s", "INTEGER", lambda at: at),
}


@pytest.fixture(params=KINDS)
def shop(request: pytest.FixtureRequest, tmp_path: Path) -> Shop:
    unit, column, as_value = KINDS[request.param]
    is_sqlite = request.param.startswith("sqlite")
    url = f"sqlite:///{tmp_path / 'shop.db'}" if is_sqlite else request.getfixturevalue("postgres")
    made = Shop(url, unit, column, as_value)
    made.run(f"CREATE TABLE events (user_id TEXT, item TEXT, at {column})")
    rng = random.Random(5)
    made.add([(f"u{rng.randrange(9)}", f"i{rng.randrange(12)}", START + DAY * rng.randrange(40)) for _ in range(400)])
    made.add([(None, "i1", START), ("u1", "i2", None)])
    return made


def _night(config: PipelineConfig, *, full: bool = False) -> PrepareSummary:
    return prepare(config, Workspace(config.workspace, full=full), progress=silent)


def _bytes(config: PipelineConfig) -> dict[str, bytes]:
    folder = config.workspace / "prepare"
    files = (path for name in ("matrix", "events") for path in (folder / name).iterdir())
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in files}


def test_the_matrix_is_that_of_a_whole_read_with_late_replaced_and_deleted_rows(shop: Shop, tmp_path: Path) -> None:
    config = shop.config(tmp_path)
    first = _night(config)
    assert first.increment is not None
    assert (first.increment.since, first.increment.kept, first.increment.fetched) == (None, 0, 402)
    last = START + 39 * DAY
    shop.add([("new", "i1", last + DAY), ("u2", "new", last + DAY // 2), ("u3", "i3", last - DAY)])  # one is late
    shop.run("DELETE FROM events WHERE user_id = 'u4' AND at >= ?", [(shop.as_value(last),)])
    shop.run("UPDATE events SET item = 'other' WHERE user_id = 'u5' AND at >= ?", [(shop.as_value(last),)])
    second = _night(config)
    assert second.increment is not None
    assert second.increment.since == last - 2 * DAY - (last % DAY if shop.column in ("date", "TEXT") else 0)
    assert second.increment.kept > 300
    assert second.increment.kept + second.increment.fetched == second.rows.rows_read
    assert second.increment.fetched < 80
    whole = shop.config(tmp_path, **{"workspace": "whole", "log.incremental": False})
    expected = _night(whole)
    assert second.fingerprints == expected.fingerprints
    assert second.rows == expected.rows
    assert _bytes(config) == _bytes(whole)


@pytest.fixture
def small(tmp_path: Path) -> Shop:
    made = Shop(f"sqlite:///{tmp_path / 'shop.db'}", "s", "INTEGER", lambda at: at)
    made.run("CREATE TABLE events (user_id TEXT, item TEXT, at INTEGER)")
    made.add([(f"u{number % 5}", f"i{number % 7}", START + DAY * (number % 20)) for number in range(60)])
    return made


def test_what_came_later_than_the_delay_is_seen_by_a_full_night(
    small: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = small.config(tmp_path)
    _night(config)
    small.add([("late", "i1", START)])
    caplog.set_level("INFO")
    assert _night(config).rows.rows_read == 60
    assert "what came more than 2d late is seen by `recsys run CONFIG --full`" in caplog.text
    assert _night(config, full=True).rows.rows_read == 61
    assert _night(config).rows.rows_read == 61


def test_a_clock_that_was_wrong_does_not_stop_the_nights(small: Shop, tmp_path: Path) -> None:
    small.add([("u1", "i1", START + 9_999 * DAY), ("u1", "i1", START + 400 * DAY)])
    config = small.config(tmp_path)
    _night(config)
    small.add([("new", "i1", START + 20 * DAY)])
    night = _night(config)
    assert night.increment is not None
    assert night.increment.since == START + 17 * DAY
    assert night.rows.rows_read == 63


def test_other_settings_read_all_anew(small: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    _night(small.config(tmp_path))
    caplog.set_level("INFO")
    night = _night(small.config(tmp_path, **{"log.item": "user_id", "log.user": "item"}))
    assert night.increment is not None
    assert night.increment.since is None
    assert "all 60 rows are fetched: what is read, or the type of a column, has changed" in caplog.text


def test_a_night_that_fails_leaves_the_copy_of_the_last_one(small: Shop, tmp_path: Path) -> None:
    config = small.config(tmp_path)
    _night(config)
    copy = config.workspace / "kept" / "log.parquet"
    before = copy.read_bytes()
    small.run("ALTER TABLE events RENAME TO others")
    overflow = "CASE WHEN at > 0 THEN abs(-9223372036854775808) END AS at"
    small.run(f"CREATE VIEW events AS SELECT user_id, item, {overflow} FROM others")
    with pytest.raises(DataError):
        _night(config)
    assert copy.read_bytes() == before
    assert [path.name for path in copy.parent.iterdir()] == ["log.parquet"]


def test_a_damaged_copy_is_told_and_made_anew(small: Shop, tmp_path: Path) -> None:
    config = small.config(tmp_path)
    _night(config)
    copy = config.workspace / "kept" / "log.parquet"
    assert pq.read_table(copy).num_rows == 60
    copy.write_bytes(copy.read_bytes()[:-20])
    assert _night(config).rows.rows_read == 60
    assert pq.read_table(copy).num_rows == 60


def test_a_copy_that_is_damaged_inside_is_told_and_made_anew(
    small: Shop, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    config = small.config(tmp_path)
    _night(config)
    copy = config.workspace / "kept" / "log.parquet"
    content = bytearray(copy.read_bytes())
    content[60] ^= 0xFF
    copy.write_bytes(content)
    night = _night(config)
    assert night.increment is not None
    assert (night.increment.since, night.rows.rows_read) == (None, 60)
    assert "log.parquet: the kept copy of the log is damaged" in caplog.text
    assert pq.read_table(copy).num_rows == 60


def test_times_that_are_not_text_are_said(tmp_path: Path) -> None:
    shop = Shop(f"sqlite:///{tmp_path / 'shop.db'}", "iso", "TEXT", str)
    shop.run("CREATE TABLE events (user_id TEXT, item TEXT, at TEXT)")
    shop.run("INSERT INTO events VALUES ('u', 'i', '2024-01-31'), ('u', 'j', CAST(x'FFFE32' AS TEXT))")
    with pytest.raises(
        DataError, match=r"column 'at' \(log\.timestamp\), rows 1 to 2: times that cannot be compared"
    ):
        _night(shop.config(tmp_path))


def test_times_that_cannot_be_compared_are_said_before_anything_is_read(postgres: str, tmp_path: Path) -> None:
    shop = Shop(postgres, "auto", "text", str)
    shop.run("CREATE TABLE events (user_id text, item text, at text)")
    shop.add([("u", "i", START)])
    with pytest.raises(ConfigError, match=r"column 'at' \(log\.timestamp\) is string; expected times, dates"):
        _night(shop.config(tmp_path))


def test_files_are_no_increments(tmp_path: Path) -> None:
    path = tmp_path / "pipeline.toml"
    path.write_text("[log]\npaths = ['a.csv']\ntimestamp = 'at'\nincremental = true\n", encoding="utf-8")
    with pytest.raises(ConfigError, match="incremental is of a database"):
        load_config(path)
