"""What holds for every Source: the same rows are the same events, wherever they come from."""

import hashlib
import json
import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pandas as pd
import psycopg
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.address import Address
from recsys.config import LogSchema
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.frame_source import FrameSource
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Batches, Columns, RawBatch, Source
from recsys.data.ingest.sql_source import SqlSource
from recsys.data.ingest.survey import survey_log
from recsys.databases.database import Database
from recsys.databases.statements import Rows
from recsys.errors import DataError, TooManyRefusedError
from recsys.progress import Progress, silent

Row = tuple[str, str, int]

COLUMNS = ("who", "what", "at")
LOG = LogSchema(user="who", item="what", timestamp="at", timestamp_unit="s", max_refused_share=0.5)
ROWS: list[Row] = [(f"u{number % 7}", f"i{number % 5}", 1_600_000_000 + number) for number in range(40)]
REFUSED = [11, 25]
"""Places of rows whose user is missing."""


@dataclass(frozen=True)
class SqliteSource:
    """A table of a database, to show what a new source needs."""

    path: Path
    block_rows: int = 7

    @property
    def description(self) -> str:
        return f"{self.path.name}:events"

    def fingerprint(self) -> str:
        return hashlib.sha256(repr(self._select("SELECT * FROM events ORDER BY rowid")).encode()).hexdigest()

    def estimate_rows(self) -> int:
        return int(self._select("SELECT count(*) FROM events")[0][0])

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        found = [name for _, name, *_ in self._select("PRAGMA table_info(events)")]
        places, total = columns.places(self.description, found), self.estimate_rows()
        for start in range(0, total, self.block_rows):
            rows = self._select(f"SELECT * FROM events ORDER BY rowid LIMIT {self.block_rows} OFFSET {start}")
            batch = pa.RecordBatch.from_arrays([pa.array(column) for column in zip(*rows, strict=True)], names=found)
            yield partial(RawBatch.numbered, self.description, batch, places, first=start + 1)
            progress("read", start + len(rows), total)

    def _select(self, query: str) -> list[tuple[object, ...]]:
        with closing(sqlite3.connect(self.path)) as database:
            return database.execute(query).fetchall()


def of_csv(folder: Path, rows: Sequence[Row]) -> Source:
    lines = [",".join(map(str, row)) for row in [COLUMNS, *rows]]
    (folder / "log.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return FileSource((folder / "log.csv",), block_bytes=100)


def of_jsonl(folder: Path, rows: Sequence[Row]) -> Source:
    lines = [json.dumps(dict(zip(COLUMNS, row, strict=True))) for row in rows]
    (folder / "log.jsonl").write_text("\n".join(lines), encoding="utf-8")
    return FileSource((folder / "log.jsonl",), block_bytes=300)


def of_parquet(folder: Path, rows: Sequence[Row]) -> Source:
    pq.write_table(pa.table(dict(zip(COLUMNS, zip(*rows, strict=True), strict=True))), folder / "log.parquet")
    return FileSource((folder / "log.parquet",))


def of_frame(folder: Path, rows: Sequence[Row]) -> Source:
    return FrameSource(pd.DataFrame(rows, columns=list(COLUMNS)), block_rows=7)


def of_sqlite(folder: Path, rows: Sequence[Row]) -> Source:
    (folder / "log.db").unlink(missing_ok=True)
    with closing(sqlite3.connect(folder / "log.db")) as database, database:
        database.execute("CREATE TABLE events (who TEXT, what TEXT, at INTEGER)")
        database.executemany("INSERT INTO events VALUES (?, ?, ?)", rows)
    return SqliteSource(folder / "log.db")


def of_sqlite_file(folder: Path, rows: Sequence[Row]) -> Source:
    of_sqlite(folder, rows)
    return sql_source(f"sqlite:///{folder / 'log.db'}")


def in_postgresql(url: str, rows: Sequence[Row]) -> Source:
    with psycopg.connect(url) as database, database.cursor() as cursor:
        cursor.execute("DROP TABLE IF EXISTS events")
        cursor.execute("CREATE TABLE events (who TEXT, what TEXT, at BIGINT)")
        cursor.executemany("INSERT INTO events VALUES (%s, %s, %s)", rows)
        cursor.execute("ANALYZE events")
    return sql_source(url)


def sql_source(url: str) -> Source:
    return SqlSource(Database(Address(url)), Rows(table="events"), Columns.of(LOG))


IN_ANY_ORDER = ("of_sqlite_file", "in_postgresql")
"""Those whose rows have no order that the fingerprint knows."""


@pytest.fixture(params=[of_csv, of_jsonl, of_parquet, of_frame, of_sqlite, of_sqlite_file, in_postgresql])
def make(request: pytest.FixtureRequest) -> Callable[..., Source]:
    """make(folder, rows): a source of these rows."""
    if request.param is not in_postgresql:
        return request.param
    url = request.getfixturevalue("postgres")
    return lambda folder, rows: in_postgresql(url, rows)


class TestSource:
    def test_the_same_rows_are_the_same_events(self, make: Callable[..., Source], tmp_path: Path) -> None:
        events, counts = read_log(make(tmp_path, ROWS), LOG)
        assert events.timestamp is not None
        users, items = events.users.decode(events.user_idx), events.items.decode(events.item_idx)
        assert list(zip(users, items, events.timestamp.tolist(), strict=True)) == ROWS
        assert counts.to_dict() == {"rows_read": 40, "accepted": 40, "refused": {}, "merged": 0}

    def test_a_refused_row_is_named_by_its_source_and_position(
        self, make: Callable[..., Source], tmp_path: Path
    ) -> None:
        rows = [("", *row[1:]) if at in REFUSED else row for at, row in enumerate(ROWS)]
        source = make(tmp_path, rows)
        _, counts = read_log(source, LOG, quarantine=tmp_path / "quarantine.jsonl")
        assert counts.refused == {"missing_user": 2}
        kept = [json.loads(line) for line in (tmp_path / "quarantine.jsonl").read_text().splitlines()]
        first = 2 if make is of_csv else 1
        assert [(each["source"], each["position"]) for each in kept] == [
            (source.description, first + at) for at in REFUSED
        ]
        with pytest.raises(TooManyRefusedError, match="the user's id is empty"):
            read_log(source, LOG.model_copy(update={"max_refused_share": 0.01}))

    def test_the_fingerprint_is_of_the_content(
        self, make: Callable[..., Source], tmp_path: Path, request: pytest.FixtureRequest
    ) -> None:
        prints = []
        for rows in (ROWS, ROWS, ROWS[::-1], ROWS[:-1], [*ROWS[:-1], ("other", *ROWS[-1][1:])]):
            prints.append(make(tmp_path, rows).fingerprint())
        assert prints[0] == prints[1]
        in_any_order = any(name in request.node.name for name in IN_ANY_ORDER)
        assert len(set(prints)) == (3 if in_any_order else 4)
        assert len(bytes.fromhex(prints[0])) == 32

    def test_rows_are_estimated_and_surveyed(self, make: Callable[..., Source], tmp_path: Path) -> None:
        source = make(tmp_path, ROWS)
        survey = survey_log(source, LOG)
        assert source.estimate_rows() == survey.rows == 40
        assert (survey.users, survey.items) == (7, 5)

    def test_a_missing_column_is_named_with_its_key(self, make: Callable[..., Source], tmp_path: Path) -> None:
        source = make(tmp_path, ROWS)
        with pytest.raises(DataError, match=r"no column 'whom' \(log\.user\); did you mean 'who'\?"):
            read_log(source, LOG.model_copy(update={"user": "whom"}))

    def test_progress_ends_at_the_total(self, make: Callable[..., Source], tmp_path: Path) -> None:
        reported: list[tuple[str, float, float | None]] = []
        read_log(make(tmp_path, ROWS), LOG, progress=lambda *news: reported.append(news))
        done = [position for _, position, _ in reported]
        assert done == sorted(done)
        assert done[-1] == reported[-1][2]

    def test_batches_may_be_parsed_in_any_order(self, make: Callable[..., Source], tmp_path: Path) -> None:
        waiting = list(make(tmp_path, ROWS).batches(Columns.of(LOG)))
        parsed = [parse() for parse in reversed(waiting)][::-1]
        assert [str(user) for batch in parsed for user in batch.column("user").cast("string")] == [
            user for user, _, _ in ROWS
        ]
