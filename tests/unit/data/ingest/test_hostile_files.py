"""Files made to take memory, time or rows: what each may cost is bounded, and every line is counted."""

import gzip
import json
import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import LogConfig
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.expansion import FREE_BYTES, ExpansionLimit
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.parquet_blocks import parquet_blocks
from recsys.data.ingest.readers import read_log
from recsys.data.ingest.source import Columns
from recsys.data.interactions import Interactions
from recsys.errors import DataError

HEADER = "user,item,time,note\n"
MIB = 1 << 20


def read(path: Path, **settings: Any) -> tuple[Interactions, RowCounts]:
    log = LogConfig(paths=(path,), timestamp="time", max_refused_share=1, **settings)
    return read_log(FileSource.of(log), log, now=1_800_000_000)


def rows(n: int, note: str = "fine") -> list[str]:
    return [f"u{at},i{at % 50},{1_700_000_000 + at},{note}\n" for at in range(n)]


@pytest.mark.parametrize("column", [0, 1, 2, 3])
@pytest.mark.parametrize("irregular", [False, True], ids=["regular lines", "lines of other widths among them"])
def test_two_stray_quotes_swallow_no_row(tmp_path: Path, column: int, irregular: bool) -> None:
    lines = rows(4000)
    for at in (500, 3500):
        fields = lines[at].rstrip("\n").split(",")
        fields[column] = '"' + fields[column] if at == 500 else fields[column] + '"'
        lines[at] = ",".join(fields) + "\n"
    if irregular:
        lines[1000:3000:10] = rows(200, note="one,more")
    (tmp_path / "log.csv").write_text(HEADER + "".join(lines))
    events, counts = read(tmp_path / "log.csv", user="user", item="item")
    n_wrong, n_bad_times = 200 if irregular else 0, int(column == 2)
    expected = {"stray_quote": 1, "bad_field_count": n_wrong, "bad_time": n_bad_times}
    assert counts.refused == {reason: n for reason, n in expected.items() if n}
    assert (counts.rows_read, counts.quoted_lines, len(events)) == (4000, 0, 3999 - n_wrong - n_bad_times)


@pytest.mark.parametrize("quoted", ['"u\n1",i1,1700000000,x\n', 'u1,"i\r\n1",1700000000,x\n', 'u1,i1,"17\n",x\n'])
def test_an_id_or_a_time_has_no_line_ends(tmp_path: Path, quoted: str) -> None:
    (tmp_path / "log.csv").write_text(HEADER + "".join(rows(2)) + quoted + "".join(rows(2)))
    events, counts = read(tmp_path / "log.csv")
    assert counts.quoted_lines == 0
    assert {"u0", "u1"} <= set(events.users.decode(events.user_idx))
    assert counts.refused["stray_quote"] >= 1
    assert counts.rows_read == 4 + quoted.count("\n")


def test_a_note_may_have_line_ends_and_they_are_counted(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text(HEADER + 'u1,i1,1700000000,"one\ntwo, and\n\n""three"""\n' + "".join(rows(2)))
    events, counts = read(tmp_path / "log.csv")
    assert (len(events), counts.rows_read, counts.quoted_lines, dict(counts.refused)) == (3, 3, 3, {})


@pytest.mark.parametrize("name", ["log.csv", "log.jsonl"])
def test_a_line_that_is_too_long_is_one_refused_row(tmp_path: Path, name: str) -> None:
    good = "u1,i1,1700000000,x\n" if name.endswith("csv") else '{"user": "u", "item": "i", "time": 1700000000}\n'
    head = HEADER if name.endswith("csv") else ""
    (tmp_path / name).write_text(head + good + "x" * (9 * MIB) + "\n" + good * 2)
    events, counts = read(tmp_path / name, quarantine_rows=5)
    assert (len(events), counts.rows_read, counts.refused) == (3, 4, {"line_too_long": 1})


@pytest.mark.parametrize("end", ["\r", "\r\n"], ids=["to the end", "a line feed at the end"])
def test_a_file_of_carriage_returns_is_read_in_blocks(tmp_path: Path, end: str) -> None:
    text = (HEADER + "".join(rows(500_000))).replace("\n", "\r").removesuffix("\r")
    (tmp_path / "log.csv").write_bytes((text + end).encode())
    assert (tmp_path / "log.csv").stat().st_size > 9 * MIB
    events, counts = read(tmp_path / "log.csv")
    assert (len(events), counts.rows_read) == (500_000, 500_000)


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_many_blank_lines_are_counted(tmp_path: Path, end: str) -> None:
    good, blank = "u1,i1,1700000000,x" + end, end * (MIB // len(end) + 1)
    (tmp_path / "log.csv").write_bytes(
        (HEADER + blank + good + blank + good * 2).replace("note\n", "note" + end).encode()
    )
    events, counts = read(tmp_path / "log.csv")
    assert (len(events), counts.rows_read, counts.blank_lines) == (3, 3, 2 * (MIB // len(end) + 1))


def test_many_blank_lines_before_the_header_or_between_objects(tmp_path: Path) -> None:
    (tmp_path / "log.csv").write_text("\n" * MIB + HEADER + "u1,i1,1700000000,x\n")
    assert len(read(tmp_path / "log.csv")[0]) == 1
    good = '{"user": "u", "item": "i", "time": 1700000000}\n'
    (tmp_path / "log.jsonl").write_text(good + "\n" * MIB + good)
    _, counts = read(tmp_path / "log.jsonl")
    assert (counts.accepted, counts.blank_lines) == (2, MIB)


HOSTILE = {
    "line feeds": ("a.csv", HEADER.encode(), b"\n"),
    "carriage returns": ("a.csv", HEADER.encode(), b"\r"),
    "quotes": ("a.csv", HEADER.encode(), b'"'),
    "a long line": ("a.jsonl", b'{"user": "u", "item": "i", "time": 1}\n{"user": "', b"x"),
    "braces": ("a.json", b'[{"user": "u", "item": "i", "time": 1},', b"{"),
}

_READ = """
import json, resource, sys
from pathlib import Path
from recsys.config import LogConfig
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.errors import DataError
def peak(path):
    log = LogConfig(paths=(path,), timestamp="time", max_refused_share=1)
    try: read_log(FileSource.of(log), log)
    except DataError: pass
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([peak(Path(path)) for path in sys.argv[1:]]))
"""


def test_memory_does_not_grow_with_hostile_files(tmp_path: Path) -> None:
    """Of each 12 MiB; they took up to 900 MiB before that was bounded."""
    size, paths = 12 * MIB, [tmp_path / "tiny.csv"]
    paths[0].write_text(HEADER + "".join(rows(10)))
    for number, (name, start, piece) in enumerate(HOSTILE.values()):
        folder = tmp_path / str(number)
        folder.mkdir()
        (folder / name).write_bytes(start + piece * (size // len(piece)) + b"\n")
        paths.append(folder / name)
    ended = subprocess.run(
        [sys.executable, "-c", _READ, *map(str, paths)], capture_output=True, text=True, check=True
    )
    base, *peaks = json.loads(ended.stdout)
    grown = {name: peak - base for name, peak in zip(HOSTILE, peaks, strict=True)}
    assert max(grown.values()) < 250, grown


class TestExpansion:
    def test_a_bomb_is_refused_with_its_file_and_the_key(self, tmp_path: Path) -> None:
        path = tmp_path / "bomb.csv.gz"
        path.write_bytes(gzip.compress(HEADER.encode()) + gzip.compress(b"x" * (7 * MIB) + b"\n") * 45)
        before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        with pytest.raises(DataError, match=r"bomb\.csv\.gz: .* log\.max_expansion allows 200 times"):
            read(path)
        assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200 << 10

    def test_in_all_a_file_may_have_so_much(self, tmp_path: Path) -> None:
        path = tmp_path / "log.csv.gz"
        path.write_bytes(gzip.compress((HEADER + "".join(rows(50_000))).encode()))
        with pytest.raises(DataError, match=r"log\.csv\.gz: .* log\.max_decompressed_gib allows 0\.001 GiB"):
            read(path, max_decompressed_gib=0.001)
        assert len(read(path)[0]) == 50_000

    @pytest.mark.parametrize("value", ["i", "i" * (1 << 18)], ids=["many rows", "long values"])
    def test_parquet_rows_that_a_few_bytes_stand_for(self, tmp_path: Path, value: str) -> None:
        n = 1 << (24 if len(value) == 1 else 16)
        text = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([value]))
        table = pa.table({"user": text, "item": text, "time": np.full(n, 1_700_000_000), "note": text})
        pq.write_table(table, path := tmp_path / "log.parquet", row_group_size=1 << 16)
        with pytest.raises(DataError, match=r"log\.parquet: .* log\.max_expansion allows 200 times"):
            read(path, event="note")

    def test_long_texts_are_decoded_in_parts(self, tmp_path: Path) -> None:
        n, note = 1 << 10, "x" * (1 << 18)
        notes = pa.DictionaryArray.from_arrays(pa.array(np.zeros(n, np.int32)), pa.array([note]))
        table = pa.table({"u": np.arange(n), "i": np.arange(n), "note": notes})
        pq.write_table(table, tmp_path / "a.parquet", use_dictionary=["note"])
        columns = Columns("items", {"id": "i", "title": "note"}, keep=0)
        parts = [parse() for parse in parquet_blocks(tmp_path / "a.parquet", columns, advance=lambda position: None)]
        assert [len(part) for part in parts] == [n // 4] * 4
        assert [part.positions[0] for part in parts] == [1, 257, 513, 769]
        assert {part.column("title").type for part in parts} == {pa.string()}

    def test_the_limits(self) -> None:
        limit = ExpansionLimit(10, 2 * FREE_BYTES, "items")
        limit.check(Path("a"), FREE_BYTES, 1)
        limit.check(Path("a"), 2 * FREE_BYTES, FREE_BYTES)
        with pytest.raises(DataError, match=r"items\.max_expansion"):
            limit.check(Path("a"), FREE_BYTES + 1, 1)
        with pytest.raises(DataError, match=r"items\.max_decompressed_gib"):
            limit.check(Path("a"), 2 * FREE_BYTES + 1, FREE_BYTES)

    def test_they_are_no_part_of_a_version(self, tmp_path: Path) -> None:
        assert "max_expansion" not in LogConfig(paths=(tmp_path,), max_expansion=5).model_dump()
