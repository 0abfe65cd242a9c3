"""Reading in tasks accepts, refuses, warns and counts as the local reader does on the same files."""

import logging
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import LogConfig
from recsys.data.ingest.accounting import Quarantine
from recsys.data.ingest.file_parts import TextPart
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.log_account import LogAccount
from recsys.data.ingest.log_ends import LogEnds
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.row_checks import Rules
from recsys.data.ingest.source import Columns
from recsys.errors import DataError, RecsysError
from recsys.forgotten import NOBODY
from recsys.pipeline_config import load_config
from recsys.progress import silent
from recsys.spark.accepted_rows import AcceptedRows
from recsys.spark.file_cuts import cut_files
from recsys.spark.file_reading import FileReading, Piece, read_files
from recsys.spark.log_reading import LogReading

NOW = 1_790_000_000
CASES = Path(__file__).parents[4] / "shared" / "cases"


@dataclass
class Found:
    """What one reader made of a log: all that may differ."""

    rows: list[tuple[object, ...]]
    counts: object
    ends: object
    quarantine: str
    said: list[str]
    fingerprint: str


def on_one_machine(log: LogConfig, folder: Path, said) -> Found | str:
    ends, source = LogEnds(), FileSource.of(log)
    said.clear()
    try:
        events, counts = read_log(source, log, quarantine=folder / "local.jsonl", now=NOW, ends=ends)
    except RecsysError as error:
        return f"{type(error).__name__}: {error}".replace("local.jsonl", "")
    columns = [
        events.users.decode(events.user_idx),
        events.items.decode(events.item_idx),
        events.value.tolist(),
        [None] * len(events) if events.timestamp is None else events.timestamp.tolist(),
        [None] * len(events) if events.event is None else [events.event_names[at] for at in events.event],
    ]
    return Found(
        list(zip(*columns, strict=True)),
        counts,
        vars(ends),
        (folder / "local.jsonl").read_text(),
        _warnings(said),
        source.fingerprint(),
    )


def in_tasks(spark, log: LogConfig, folder: Path, said, part_bytes: int) -> Found | str:
    ends, source = LogEnds(), FileSource.of(log)
    rows = AcceptedRows(folder / "rows", log.quarantine_rows)
    said.clear()
    try:
        with Quarantine(folder / "spark.jsonl", limit=log.quarantine_rows) as refused:
            account = LogAccount(refused, ends)
            reading = LogReading(log, rows, account, NOW, NOBODY, silent)
            read_files(spark, source, reading, part_bytes=part_bytes)
        counts = account.counts(source.description, log)
    except RecsysError as error:
        return f"{type(error).__name__}: {error}".replace("spark.jsonl", "")
    account.tell(source.description, counts, seconds=0)
    return Found(
        list(_accepted(rows)),
        counts,
        vars(ends),
        (folder / "spark.jsonl").read_text(),
        _warnings(said),
        source.fingerprint(),
    )


def _accepted(rows: AcceptedRows) -> Iterator[tuple[object, ...]]:
    for path in sorted(rows.table.glob("*.parquet")):
        for row in pq.ParquetFile(path).read().to_pylist():
            event = row.get("event")
            text = row["user"].decode(), row["item"].decode(), row.get("value", 1.0), row.get("time")
            yield (*text, event and event.decode())


def _warnings(said) -> list[str]:
    return [record.getMessage() for record in said.records if record.levelno >= logging.WARNING]


def compare(spark, log: LogConfig, folder: Path, said, part_bytes: int = 1 << 30) -> Found | str:
    with said.at_level(logging.WARNING):
        expected = on_one_machine(log, folder, said)
        found = in_tasks(spark, log, folder, said, part_bytes)
    assert found == expected
    return found


def _lines(n: int, seed: int = 0) -> list[str]:
    rng = np.random.default_rng(seed)
    odd = {
        3: "",
        50: "u,i",
        51: '"a\nb",x,1700000000,1',
        90: "u,i,never,1",
        91: ",i,1700000000,1",
        140: "ü,i,1700000000,x",
    }
    times = 1_700_000_000 + rng.integers(0, 10**6, n)
    return [
        odd.get(at, f"u{rng.integers(40)},i{rng.integers(9)},{time},{1 + at % 3}") for at, time in enumerate(times)
    ]


COLUMNS = {"user": "user", "item": "item", "timestamp": "time", "value": "value", "max_refused_share": 0.5}
HEADER = "user,item,time,value"


def test_a_large_csv_is_read_in_parts(spark, tmp_path, caplog):
    (tmp_path / "log.csv").write_text("\n".join([HEADER, *_lines(400)]) + "\n")
    log = LogConfig(paths=[tmp_path / "log.csv"], **COLUMNS)
    assert len(cut_files(spark, FileSource.of(log), part_bytes=1_500)[0]) > 4
    found = compare(spark, log, tmp_path, caplog, part_bytes=1_500)
    assert found.counts.n_refused == 5
    assert found.counts.blank_lines == 1


def test_a_row_that_spans_a_cut_makes_one_task_of_its_file(spark, tmp_path, caplog):
    """Every line end near a cut is within quotes, so that no cut is right."""
    long = '"' + "x\n" * 900 + '"'
    lines = [f"u{at},i{at % 5},17000000{at % 90 + 10},{long if at % 2 else 1}" for at in range(40)]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,time,text", *lines]) + "\n")
    (tmp_path / "other.csv").write_text("user,item,time\n" + "a,b,1700000000\n" * 300)
    columns = {"user": "user", "item": "item", "timestamp": "time"}
    log = LogConfig(paths=[tmp_path / "log.csv", tmp_path / "other.csv"], **columns)
    found = compare(spark, log, tmp_path, caplog, part_bytes=1_000)
    assert found.counts.accepted == 340


def test_parquet_is_read_by_row_groups_and_json_by_lines(spark, tmp_path, caplog):
    times = (1_700_000_000 + np.arange(900)) * 1000
    users, items = [f"u{at % 37}" for at in range(900)], [f"i{at % 11}" for at in range(900)]
    values = np.where(np.arange(900) % 100 == 7, -1.0, 2.0)
    table = pa.table({"user": users, "item": items, "time": times, "value": values})
    pq.write_table(table, tmp_path / "a.parquet", row_group_size=100)
    lines = [
        f'{{"user": "{u}", "item": "{i}", "time": {t}, "value": 1}}'
        for u, i, t in zip(users, items, times, strict=True)
    ]
    lines[400] = '{"user": "u1", "item'
    (tmp_path / "b.jsonl").write_text("\n".join(lines) + "\n")
    log = LogConfig(paths=[tmp_path / "a.parquet", tmp_path / "b.jsonl"], **COLUMNS)
    parts = cut_files(spark, FileSource.of(log), part_bytes=2_000)
    assert [len(each) > 2 for each in parts] == [True, True]
    found = compare(spark, log, tmp_path, caplog, part_bytes=2_000)
    assert found.counts.refused == {"non_positive_value": 9, "bad_json": 1}


def test_the_parts_of_a_text_begin_with_the_line_that_they_say(spark, tmp_path):
    """A file with a line longer than a part, and one without a last line end."""
    lines = [b"l%03d" % at + b"x" * (at % 7 * 11) for at in range(100)]
    lines[40] = b"y" * 3_000
    path = tmp_path / "log.jsonl"
    path.write_bytes(b"\n".join(lines))
    source = FileSource.of(LogConfig(paths=[path], user="u", item="i"))
    parts = cut_files(spark, source, part_bytes=500)[0]
    content = path.read_bytes()
    assert b"".join(content[part.start : part.stop] for part in parts) == content
    assert all(isinstance(part, TextPart) for part in parts)
    for part in parts:
        assert content[part.start :].startswith(lines[part.first_line - 1])
    assert [part.is_last for part in parts] == [False] * (len(parts) - 1) + [True]


def test_one_bad_file_of_many_is_named(spark, tmp_path, caplog):
    for at in range(30):
        (tmp_path / f"{at:02d}.csv").write_text(f"{HEADER}\nu{at},i,1700000000,1\n")
    (tmp_path / "17.csv").write_text("user,thing,time,value\nu,i,1700000000,1\n")
    log = LogConfig(paths=[tmp_path / "*.csv"], **COLUMNS)
    said = compare(spark, log, tmp_path, caplog)
    assert "17.csv: no column 'item' (log.item)" in said
    pq.write_table(pa.table({"user": ["u"], "item": ["i"], "time": [NOW], "value": [1.0]}), tmp_path / "17.parquet")
    (tmp_path / "17.csv").unlink()
    content = (tmp_path / "17.parquet").read_bytes()
    (tmp_path / "17.parquet").write_bytes(content[: len(content) // 2])
    log = LogConfig(paths=[tmp_path / "*.csv", tmp_path / "17.parquet"], **COLUMNS)
    assert "17.parquet: cannot be read as Parquet" in compare(spark, log, tmp_path, caplog)


def test_a_file_that_an_executor_does_not_see_is_named(tmp_path):
    """What a task does on a machine that does not have the driver's disk."""
    path = tmp_path / "log.csv"
    log = LogConfig(paths=[path], **COLUMNS)
    rules, rows = Rules.of(log, now=NOW), AcceptedRows(tmp_path / "rows", 10)
    pieces = (Piece(0, path, 1_000),)
    reading = FileReading(FileSource.of(log), Columns.of(log), pieces, rules, (0, 0), rows)
    with pytest.raises(DataError, match=r"log\.csv: an executor on \S+ does not see it"):
        reading.read(0)


@pytest.mark.parametrize(
    "case", sorted(CASES.glob("*/pipeline.toml"))[::3] or [None], ids=lambda case: case and case.parent.name
)
def test_the_dirty_logs(spark, tmp_path, caplog, case):
    if case is None:
        pytest.skip(f"{CASES}: no dirty logs")
    compare(spark, load_config(case).log, tmp_path, caplog)
