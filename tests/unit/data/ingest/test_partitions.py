"""Columns in the names of folders, in files of every format."""

import gzip
import json
import logging
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import FileFormat, LogSchema
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.partitions import joined_times, partitions_of
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns
from recsys.data.ingest.survey import survey_log
from recsys.errors import DataError

Rows = Sequence[dict[str, Any]]
Write = Callable[[Path, Rows], None]

LOG = LogSchema(user="user", item="item", timestamp="date", event="kind", event_weights={"a/b": 1.0, "view": 2.0})


def write_csv(path: Path, rows: Rows, *, delimiter: str = ",") -> None:
    lines = [delimiter.join(rows[0]), *(delimiter.join(map(str, row.values())) for row in rows)]
    path.write_text("\n".join(lines) + "\n")


def write_tsv_gz(path: Path, rows: Rows) -> None:
    write_csv(path, rows, delimiter="\t")
    path.write_bytes(gzip.compress(path.read_bytes()))


def write_jsonl(path: Path, rows: Rows) -> None:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))


def write_parquet(path: Path, rows: Rows) -> None:
    pq.write_table(pa.Table.from_pylist(list(rows)), path)


WRITERS: dict[str, Write] = {
    "part-0.csv": write_csv,
    "part-0.tsv.gz": write_tsv_gz,
    "part-0.jsonl": write_jsonl,
    "part-0.snappy.parquet": write_parquet,
}


@pytest.fixture(params=list(WRITERS))
def put(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[..., FileSource]:
    """put(folder, rows) writes a file and returns the source of all files so far."""

    def written(folder: str, rows: Rows) -> FileSource:
        path = tmp_path / "events" / folder / request.param
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[request.param](path, rows)
        return FileSource((tmp_path / "events",), block_bytes=64)

    return written


def pairs(n: int) -> Rows:
    return [{"user": f"u{row}", "item": f"i{row % 3}"} for row in range(n)]


def test_names_are_decoded() -> None:
    path = Path("/lake/day=1/day=2024-01-02 03%3A00%3A00/a%20b=x%2Fy/c=__HIVE_DEFAULT_PARTITION__/d=/e/f=g.csv")
    assert partitions_of(path) == {"day": b"2024-01-02 03:00:00", "a b": b"x/y", "c": None, "d": b""}


@pytest.mark.parametrize(
    ("name", "folder", "expected"),
    [
        ("year/month/day", "year=2024/month=1/day=02", b"2024-01-02"),
        ("year/month/day/hour", "year=2024/month=01/day=02/hour=3", b"2024-01-02T03:00"),
        ("y/m/d/h/min", "y=2024/m=01/d=02/h=03/min=4", b"2024-01-02T03:04"),
        ("date/hour", "date=2024-01-02/hour=03", b"2024-01-02T03:00"),
        ("date/hour", "date=2024-01-02/hour=__HIVE_DEFAULT_PARTITION__", None),
    ],
)
def test_times_may_be_several_folders(name: str, folder: str, expected: bytes | None) -> None:
    found = partitions_of(Path(folder) / "part-0.csv")
    assert joined_times(found, [name, "date", "year/quarter"]) == {name: expected}


def test_rows_have_the_time_of_their_folders(put: Callable[..., FileSource]) -> None:
    events, _ = read_log(put("year=2024/month=1/day=2/hour=3", pairs(2)), LogSchema(timestamp="year/month/day/hour"))
    assert events.timestamp is not None
    assert events.timestamp.tolist() == [1_704_164_400] * 2


def test_columns_of_folders_are_columns_of_their_rows(put: Callable[..., FileSource]) -> None:
    put("date=2024-01-01/kind=a%2Fb", pairs(5))
    put("date=2024-01-02T03%3A00/kind=view", pairs(7))
    source = put("date=__HIVE_DEFAULT_PARTITION__/kind=view", pairs(1))
    events, counts = read_log(source, LOG.model_copy(update={"max_refused_share": 0.5}))
    assert events.timestamp is not None
    assert events.event is not None
    assert events.timestamp.tolist() == [1_704_067_200] * 5 + [1_704_164_400] * 7
    assert [events.event_names[kind] for kind in events.event] == ["a/b"] * 5 + ["view"] * 7
    assert counts.refused == {"missing_time": 1}
    assert source.estimate_rows() == survey_log(source, LOG).rows == 13
    source.check(Columns.of(LOG))


def test_a_user_may_be_a_folder_but_not_every_column(put: Callable[..., FileSource]) -> None:
    events, _ = read_log(put("user=u%C3%A9", [{"item": "x"}, {"item": "y"}]), LogSchema())
    assert list(events.users.decode([0])) == ["ué"]
    assert len(events) == 2
    with pytest.raises(DataError, match=r"none of its columns is read; all are in the names of its folders"):
        read_log(put("user=1/item=2", [{"other": "x"}]), LogSchema())


def test_a_column_of_the_file_counts_and_a_difference_is_told(
    put: Callable[..., FileSource], caplog: pytest.LogCaptureFixture
) -> None:
    log = LogSchema(timestamp="date")
    same = [{**row, "date": "2024-01-01 05:00:00"} for row in pairs(3)]
    events, _ = read_log(put("date=2024-01-01", same), log)
    assert not caplog.records
    events, _ = read_log(put("date=2024-01-02", same), log)
    assert events.timestamp is not None
    assert set(events.timestamp.tolist()) == {1_704_085_200}
    (told,) = [record.getMessage() for record in caplog.records if record.levelno == logging.WARNING]
    assert "column 'date' is '2024-01-01 05:00:00', but the folder's name says '2024-01-02'" in told
    assert "date=2024-01-02/part-0" in told


def test_a_folder_without_the_column_is_named_with_the_columns_of_folders(put: Callable[..., FileSource]) -> None:
    put("date=2024-01-01", pairs(1))
    with pytest.raises(DataError, match=r"/day=2024-01-02/part-0.*no column 'date'.*'day'"):
        read_log(put("day=2024-01-02", pairs(1)), LogSchema(timestamp="date"))


def test_the_fingerprint_has_the_partition(tmp_path: Path) -> None:
    prints = set()
    for folder in ("a/date=2024-01-01", "a/date=2024-01-02", "b/date=2024-01-01"):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / "part-0.csv").write_text("user,item\nu,i\n")
        prints.add(FileSource((tmp_path / folder,)).fingerprint())
    assert len(prints) == 2


def test_a_set_format_reads_files_without_an_ending(tmp_path: Path) -> None:
    (tmp_path / "date=2024-01-01").mkdir()
    write_csv(tmp_path / "date=2024-01-01" / "000000_0", pairs(4))
    events, _ = read_log(FileSource((tmp_path,), FileFormat(format="csv")), LogSchema(timestamp="date"))
    assert len(events) == 4
    with pytest.raises(DataError, match=r"000000_0: the name does not show the format.*log\.format"):
        read_log(FileSource((tmp_path,)), LogSchema())
