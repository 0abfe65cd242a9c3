"""Hostile files of every format: seconds and peak memory to read or refuse each, beside an ordinary log.

    python benchmarks/ingest_attacks.py --mib 100

Every file is read in a process of its own. Seconds are those of the clock, then those of the processors. Memory is
what the peak adds to that of a process that reads a log of three rows. Files of several GiB are made for `--bombs`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.config import LogConfig
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.readers import read_log
from recsys.errors import RecsysError

MIB = 1 << 20
HEADER = b"user,item,time,note\n"
ROW = b"user%07d,item%05d,1700000000,a note\n"

Write = Callable[[BinaryIO, int], None]


def repeated(piece: bytes, *, before: bytes = HEADER, after: bytes = b"") -> Write:
    """A file of `before`, then `piece` again and again, then `after`."""

    def write(file: BinaryIO, size: int) -> None:
        file.write(before)
        chunk = piece * max(1, MIB // len(piece))
        for _ in range(max(1, size // len(chunk))):
            file.write(chunk)
        file.write(after)

    return write


def rows(file: BinaryIO, size: int) -> None:
    """An ordinary log."""
    file.write(HEADER)
    for start in range(0, size // len(ROW % (0, 0)), 10_000):
        file.write(b"".join(ROW % (at % 99_991, at % 4_999) for at in range(start, start + 10_000)))


def objects(file: BinaryIO, size: int) -> None:
    """An ordinary log of one object per line."""
    for start in range(0, size // 70, 10_000):
        lines = (b'{"user": "u%07d", "item": "i%05d", "time": 1700000000, "note": "x"}\n' % (at % 99_991, at % 4_999)
                 for at in range(start, start + 10_000))  # fmt: skip
        file.write(b"".join(lines))


_ROW, _OBJECT = ROW % (1, 1), b'{"user": "u", "item": "i", "time": 1700000000, "note": "x"}\n'


@dataclass(frozen=True)
class Case:
    """A file: its name, what writes it, and settings of `[log]`."""

    file: str
    write: Write
    settings: dict[str, Any] = field(default_factory=dict)


CASES = {
    "ordinary csv": Case("a.csv", rows),
    "csv: line feeds": Case("a.csv", repeated(b"\n", after=_ROW)),
    "csv: line ends": Case("a.csv", repeated(b"\r\n", after=_ROW)),
    "csv: carriage returns": Case("a.csv", repeated(b"\r", after=_ROW)),
    "csv: line feeds and a quote": Case("a.csv", repeated(b"\n" * 99_999 + b'"\n', after=_ROW)),
    "csv: quotes": Case("a.csv", repeated(b'"', after=b"\n" + _ROW)),
    "csv: a quote per line": Case("a.csv", repeated(b'"\n', after=_ROW)),
    "csv: fields of two quotes": Case("a.csv", repeated(b'"",', after=b"\n" + _ROW)),
    "csv: lines of two quotes": Case("a.csv", repeated(b'""\n', after=_ROW)),
    "csv: quotes that open and do not close": Case("a.csv", repeated(b'"x""y\n', after=_ROW)),
    "csv: fields of line ends": Case("a.csv", repeated(b'a,b,1,"\n\n\n\n\n\n\n\n"\n', after=_ROW)),
    "csv: records of many fields of line ends": Case("a.csv", repeated(b'"\n",', after=b"\n" + _ROW)),
    "csv: commas": Case("a.csv", repeated(b",", after=b"\n" + _ROW)),
    "csv: lines of a comma": Case("a.csv", repeated(b",\n", after=_ROW)),
    "csv: a header of commas": Case("a.csv", repeated(b"a,", before=b"user,item,time,", after=b"\n" + _ROW)),
    "csv: byte-order marks": Case("a.csv", repeated(b"\n\xef\xbb\xbf", after=_ROW)),
    "csv: headers": Case("a.csv", repeated(HEADER, after=_ROW)),
    "csv: one letter per line": Case("a.csv", repeated(b"x\n", after=_ROW)),
    "csv: one line": Case("a.csv", repeated(b"x", after=b"\n" + _ROW)),
    "csv: one id": Case("a.csv", repeated(b"x", after=b",item1,1700000000,a note\n" + _ROW)),
    "csv: ids of 7 MiB": Case("a.csv", repeated(b"x" * (7 * MIB) + b",item1,1700000000,a note\n", after=_ROW)),
    "csv: line feeds before the header": Case("a.csv", repeated(b"\n", before=b"", after=HEADER + _ROW)),
    "csv: zeros": Case("a.csv", repeated(b"\0", after=b"\n" + _ROW)),
    "ordinary jsonl": Case("a.jsonl", objects),
    "jsonl: line feeds": Case("a.jsonl", repeated(b"\n", before=_OBJECT, after=_OBJECT)),
    "jsonl: spaces and line feeds": Case("a.jsonl", repeated(b" \n", before=_OBJECT, after=_OBJECT)),
    "jsonl: one line": Case("a.jsonl", repeated(b"x", before=_OBJECT + b'{"user": "', after=b'"}\n' + _OBJECT)),
    "jsonl: ids of 7 MiB": Case("a.jsonl", repeated(_OBJECT.replace(b'"u"', b'"%s"' % (b"x" * (7 * MIB))))),
    "jsonl: one line of objects": Case("a.jsonl", repeated(b'{"":1},', before=_OBJECT + b'{"a": [', after=b"]}\n")),
    "jsonl: one letter per line": Case("a.jsonl", repeated(b"x\n", before=_OBJECT, after=_OBJECT)),
    "jsonl: empty objects": Case("a.jsonl", repeated(b"{}\n", before=_OBJECT, after=_OBJECT)),
    "jsonl: damaged objects": Case("a.jsonl", repeated(b"{x}\n", before=_OBJECT, after=_OBJECT)),
    "jsonl: lines that nest": Case("a.jsonl", repeated(b'{"a":' * 5000 + b"\n", before=_OBJECT, after=_OBJECT)),
    "json: empty objects": Case("a.json", repeated(b"{},", before=b"[" + _OBJECT.strip() + b",", after=b"{}]")),
    "json: opening braces": Case("a.json", repeated(b"{", before=b"[")),
    "json: opening brackets": Case("a.json", repeated(b"[", before=b"")),
    "json: quotes": Case("a.json", repeated(b'"', before=b"[" + _OBJECT.strip() + b",")),
    "json: line feeds in an object": Case("a.json", repeated(b"\n", before=b"[{")),
    "json: one object": Case("a.json", repeated(b'"a":1,', before=b"[{", after=b'"b": 2}]')),
}  # fmt: skip


def parquet(path: Path, n_rows: int, value: str) -> None:
    """A file of `n_rows` equal rows with a text `value`, in a few KB."""
    chunk = pa.DictionaryArray.from_arrays(pa.array([0] * min(n_rows, 1 << 20), pa.int32()), pa.array([value]))
    table = pa.table({"user": chunk, "item": chunk, "time": pa.array([1_700_000_000] * len(chunk)), "note": chunk})
    with pq.ParquetWriter(path, table.schema, compression="zstd") as writer:
        for _ in range(max(1, n_rows >> 20)):
            writer.write_table(table)


def packed(path: Path, piece: bytes, size: int) -> None:
    """`size` bytes of `piece` after a header, compressed as the name says."""
    with pa.CompressedOutputStream(pa.OSFile(str(path), "wb"), "gzip" if path.suffix == ".gz" else "zstd") as file:
        file.write(HEADER)
        for _ in range(size // len(piece)):
            file.write(piece)
        file.write(_ROW)


def claiming(path: Path) -> None:
    """A Parquet file whose footer claims 127 times its rows."""
    parquet(path, 1 << 20, "u")
    content, honest = path.read_bytes(), _zigzag(1 << 20)
    path.write_bytes(content.replace(honest, _zigzag(127 << 20)))


def _zigzag(number: int) -> bytes:
    """A number as Parquet's footer has it."""
    rest, found = 2 * number, bytearray()
    while rest >= 128:
        found.append(rest % 128 + 128)
        rest //= 128
    return bytes([*found, rest])


def in_groups(path: Path, n_groups: int) -> None:
    """A Parquet file of many row groups with one row each."""
    table = pa.table({"user": ["u"], "item": ["i"], "time": [1_700_000_000], "note": ["x"]})
    with pq.ParquetWriter(path, table.schema) as writer:
        for _ in range(n_groups):
            writer.write_table(table)


BOMBS: dict[str, tuple[str, Callable[[Path], None]]] = {
    "csv.gz: 2 GiB of line feeds": ("a.csv.gz", lambda path: packed(path, b"\n" * MIB, 2 << 30)),
    "csv.gz: 2 GiB of line feeds, read": ("a.csv.gz", lambda path: packed(path, b"\n" * MIB, 2 << 30)),
    "csv.gz: 2 GiB of rows, read": ("a.csv.gz", lambda path: packed(path, _ROW * 25_000, 2 << 30)),
    "csv.gz: 2 GiB of one line, read": ("a.csv.gz", lambda path: packed(path, b"x" * MIB, 2 << 30)),
    "csv.zst: 2 GiB of line feeds, read": ("a.csv.zst", lambda path: packed(path, b"\n" * MIB, 2 << 30)),
    "parquet: 2^30 equal rows": ("a.parquet", lambda path: parquet(path, 1 << 30, "u")),
    "parquet: a footer of 127 times the rows": ("a.parquet", claiming),
    "parquet: 20,000 row groups of a row": ("a.parquet", lambda path: in_groups(path, 20_000)),
    "parquet: 2^20 rows of 1 MiB": ("a.parquet", lambda path: parquet(path, 1 << 20, "u" * MIB)),
}


def read(path: Path, settings: dict[str, Any]) -> str:
    """What came of a file, in the process of its own."""
    log = LogConfig(paths=(path,), timestamp="time", event="note", max_refused_share=1, **settings)
    try:
        _, counts = read_log(FileSource.of(log), log)
    except RecsysError as error:
        return f"{type(error).__name__}: {str(error).replace(str(path.parent), '')[:150]}"
    return f"{counts.rows_read:,} rows, {counts.blank_lines:,} blank, {dict(counts.refused)}"


def measured(path: Path, settings: dict[str, Any], *, timeout: float = 600) -> dict[str, Any]:
    """Seconds, peak memory in MiB and outcome of reading `path`."""
    command = [sys.executable, __file__, "--read", str(path), "--settings", json.dumps(settings)]
    started = time.perf_counter()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while True:
        ended, status, usage = os.wait4(process.pid, os.WNOHANG)
        seconds = time.perf_counter() - started
        if ended:
            break
        if seconds > timeout:
            process.kill()
        time.sleep(0.01)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.stdout is not None
    told = process.stdout.read().strip() or f"ended with {process.returncode}"
    return {
        "seconds": seconds,
        "processor": usage.ru_utime + usage.ru_stime,
        "mib": usage.ru_maxrss / 1024,
        "told": told,
    }


def main() -> None:
    """Measure all cases, or those whose name holds a word."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--mib", type=int, default=100)
    parser.add_argument("--only", default="")
    parser.add_argument("--bombs", action="store_true")
    parser.add_argument("--read", type=Path)
    parser.add_argument("--settings", default="{}")
    given = parser.parse_args()
    if given.read is not None:
        print(read(given.read, json.loads(given.settings)))
        return
    with tempfile.TemporaryDirectory() as folder:
        tiny = Path(folder) / "tiny.csv"
        tiny.write_bytes(HEADER + 3 * _ROW)
        base = measured(tiny, {})
        for name, case in CASES.items():
            if given.only in name:
                path = Path(folder) / case.file
                with path.open("wb") as file:
                    case.write(file, given.mib * MIB)
                _show(name, path, base, case.settings)
        for name, (file_name, make) in BOMBS.items() if given.bombs else ():
            if given.only in name:
                make(Path(folder) / file_name)
                _show(name, Path(folder) / file_name, base, {"max_expansion": 1e6} if "read" in name else {})


def _show(name: str, path: Path, base: dict[str, Any], settings: dict[str, Any]) -> None:
    size = path.stat().st_size / MIB
    found = measured(path, settings)
    path.unlink()
    print(
        f"{name:44} {size:7.1f} MiB {found['seconds'] - base['seconds']:7.2f} s "
        f"{found['processor'] - base['processor']:7.2f} s {found['mib'] - base['mib']:7.0f} MiB"
        f"   {found['told']}",
        flush=True,
    )


if __name__ == "__main__":
    main()
