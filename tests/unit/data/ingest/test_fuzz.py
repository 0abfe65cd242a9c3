"""Damaged files: whatever a file holds, it is read with every row and line accounted for, or refused with a message.

`RECSYS_FUZZ_CASES` is the number of files, 200 by default.
"""

import gzip
import io
import json
import os
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from recsys.config import ItemsConfig, LogConfig
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.catalogue import read_items
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.json_layout import JsonLayout, json_layout
from recsys.data.ingest.readers import read_log
from recsys.data.interactions import Interactions
from recsys.errors import RecsysError

N_CASES = int(os.environ.get("RECSYS_FUZZ_CASES", "200"))
NOW = 1_800_000_000
COLUMNS = ("user", "item", "time", "event", "value", "note")
NOTES = ["", "plain", "né", "two, fields", 'a "quote"', "line\nline", "😀", "1.5", "null", "x" * 40]
ROWS = [
    (f"u{at % 5}", f"i{at % 7}é", str(1_700_000_000 + at), ("view", "buy")[at % 2], str(1 + at % 3), NOTES[at % 10])
    for at in range(12)
]

Mutation = Callable[[random.Random, bytes], bytes]


@dataclass(frozen=True)
class Layout:
    """A sound file: its name, its bytes, and the settings to read it with; `pack` compresses it."""

    name: str
    content: bytes
    settings: dict[str, Any] = field(default_factory=dict)
    pack: Callable[[bytes], bytes] | None = None

    @property
    def is_text(self) -> bool:
        return not self.name.endswith("parquet")


def separated(separator: str, *, quoted: bool = True, header: bool = True) -> str:
    lines = [separator.join(COLUMNS)] if header else []
    for row in ROWS:
        fields = [value if quoted else re.sub(r"[\n\t]|" + re.escape(separator), " ", value) for value in row]
        quotes = quoted and any(sign in fields[-1] for sign in f'"\n{separator}')
        fields[-1] = '"' + fields[-1].replace('"', '""') + '"' if quotes else fields[-1]
        lines.append(separator.join(fields))
    return "\n".join(lines) + "\n"


def objects(between: str, **options: Any) -> str:
    return between.join(json.dumps(dict(zip(COLUMNS, row, strict=True)), **options) for row in ROWS)


def parquet(**options: Any) -> bytes:
    table = pa.table(dict(zip(COLUMNS, map(list, zip(*ROWS, strict=True)), strict=True)))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def zstd(content: bytes) -> bytes:
    packed: bytes = pa.compress(content, "zstd", asbytes=True)
    return packed


LAYOUTS = {
    "csv": Layout("a.csv", separated(",").encode()),
    "csv all in quotes": Layout("a.csv", re.sub(r"(?m)^u(\d),(i\d.),", r'"u\1","\2",', separated(",")).encode()),
    "csv without quoting": Layout(
        "a.csv", separated(";", quoted=False).encode(), {"delimiter": ";", "quoting": "none"}
    ),
    "csv with decimal commas": Layout(
        "a.csv", b"sep=;\r\n" + separated(";").replace("\n", "\r\n").encode(), {"decimal": ","}
    ),
    "csv of joined files": Layout("a.csv", 2 * ("\ufeff" + separated(",")).encode()),
    "dat": Layout(
        "a.dat",
        separated("::", header=False).encode(),
        {"format": "csv", "delimiter": "::", "columns": COLUMNS},
    ),
    "tsv": Layout("a.tsv", separated("\t", quoted=False).encode()),
    "tsv in quotes": Layout("a.tsv", separated("\t").encode(), {"quoting": "double"}),
    "latin-1": Layout("a.csv", separated(",").encode("latin-1", "replace"), {"encoding": "latin-1"}),
    "utf-16": Layout("a.csv", separated("||").encode("utf-16"), {"encoding": "utf-16", "delimiter": "||"}),
    "gzip": Layout("a.csv.gz", separated(",").encode(), pack=lambda data: gzip.compress(data, mtime=0)),
    "jsonl": Layout("a.jsonl", objects("\n").encode()),
    "jsonl with commas": Layout("a.jsonl", objects(",\r\n", ensure_ascii=False).encode()),
    "jsonl, zstd": Layout("a.jsonl.zst", objects("\n", ensure_ascii=False).encode(), pack=zstd),
    "array": Layout("a.json", f"[{objects(', ')}]".encode()),
    "array, a line each": Layout("a.json", f"[\n{objects(chr(44) + chr(10))}\n]\n".encode()),
    "array, indented": Layout("a.json", f"[\n{objects(chr(44) + chr(10), indent=2)}\n]\n".encode()),
    "array, utf-16": Layout("a.json", f"[{objects(', ')}]".encode("utf-16-be"), {"encoding": "utf-16"}),
    "parquet": Layout("a.parquet", parquet()),
    "parquet in groups": Layout("a.parquet", parquet(row_group_size=5, compression="gzip", use_dictionary=False)),
}

INSERTED = [
    b'"', b'""', b',"', b'\n"', b'",', b"\xef\xbb\xbf", b"\n\xef\xbb\xbf", b"\xff\xfe", b"\0", b"\0\0\0\0", b"\r",
    b"\n", b"\r\n", b"\n\n", b"\xe9", b"\xc3", b"\xed\xa0\x80", b",", b"::", b"||", b"\t", b";", b"{", b"}", b"[",
    b"]", b"},{", b"\\", b'\\"', b"null", b"NaN", b"1e999", b"-", b"\x1f", b"\xff", b"[" * 3000,
    b'{"a":' * 3000, b"x" * 3000,
    b"user,item,time,event,value,note\n", b"sep=,\n", b"9" * 400,
]  # fmt: skip


def flip(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def cut(rng: random.Random, data: bytes) -> bytes:
    return data[: rng.randrange(len(data))]


def remove(rng: random.Random, data: bytes) -> bytes:
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(40) :]


def insert(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(INSERTED) + data[at:]


def repeat_line(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    return b"".join(lines)


def swap_lines(rng: random.Random, data: bytes) -> bytes:
    lines = data.splitlines(keepends=True)
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def other_line_ends(rng: random.Random, data: bytes) -> bytes:
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\n\r", b""]), rng.randrange(1, 30))


def join(rng: random.Random, data: bytes) -> bytes:
    return data + rng.choice([b"", b"\xef\xbb\xbf", b"\n"]) + data


def with_other_encoding(rng: random.Random, data: bytes) -> bytes:
    at = rng.randrange(len(data))
    return data[:at] + data[at:].decode("utf-8", "replace").encode(
        rng.choice(["utf-16", "latin-1", "cp437"]), "replace"
    )


MUTATIONS: list[Mutation] = [
    flip, flip, cut, remove, insert, insert, insert, repeat_line, swap_lines, other_line_ends, join,
    with_other_encoding,
]  # fmt: skip


def mutated(layout: Layout, rng: random.Random) -> bytes:
    """The file with up to three mutations, before or after it is compressed."""
    data = layout.content
    for _ in range(rng.randint(1, 3)):
        data = rng.choice(MUTATIONS)(rng, data) if data else data
    if layout.pack is None:
        return data
    packed = layout.pack(data)
    return rng.choice(MUTATIONS)(rng, packed) if rng.random() < 0.3 else packed


def log_of(path: Path, layout: Layout) -> LogConfig:
    columns = {"timestamp": "time", "timestamp_unit": "s", "event": "event", "value": "value"}
    return LogConfig(paths=(path,), max_refused_share=1, **columns, **layout.settings)


def read(path: Path, layout: Layout, block_bytes: int) -> tuple[Interactions, RowCounts] | None:
    """What is read from a file, None if it is refused as a whole."""
    log = log_of(path, layout)
    try:
        return read_log(replace(FileSource.of(log), block_bytes=block_bytes), log, now=NOW)
    except RecsysError:
        return None


def listed(events: Interactions) -> list[tuple[Any, ...]]:
    assert events.timestamp is not None
    assert events.event is not None
    ids = zip(events.users.decode(events.user_idx), events.items.decode(events.item_idx), strict=True)
    numbers = zip(events.timestamp.tolist(), events.value.tolist(), events.event.tolist(), strict=True)
    return [(*pair, *rest) for pair, rest in zip(ids, numbers, strict=True)]


def catalogue(path: Path, layout: Layout, block_bytes: int) -> list[Any] | None:
    config = ItemsConfig(path=path, id="item", title="note", attributes=("event", "value"), **layout.settings)
    try:
        items = read_items(config, source=replace(FileSource.of_items(config), block_bytes=block_bytes))
    except RecsysError:
        return None
    return [(items.ids.decode([at]), items.title(at), items.attributes(at)) for at in range(len(items.ids))]


def check_lines(data: bytes, layout: Layout, counts: RowCounts) -> None:
    """Rows, blank lines, line ends within quotes and the header are all lines of a text file."""
    if data.startswith(b"\0"):
        return  # UTF-16 with the other order of bytes
    text = data.decode(layout.settings.get("encoding", "utf-8"), "replace")
    start = text.removeprefix("\ufeff").encode()
    text = re.sub(r"(?m)^\ufeff+", "", text)
    is_array = "json" in layout.name and json_layout(start) is JsonLayout.ARRAY
    if "\r" in text.replace("\r\n", "") or is_array:
        return  # rows that are not lines
    header = 0
    if "json" not in layout.name and "columns" not in layout.settings:
        blank = len(text) - len(text.lstrip("\r\n"))
        first = text[blank:].partition("\n")[0]
        if '"' in first or first.startswith("sep="):
            return
        header = text[:blank].count("\n") + 1
    n_lines = text.count("\n") + (not text.endswith("\n"))
    assert counts.rows_read + counts.blank_lines + counts.quoted_lines + header == n_lines


@pytest.mark.parametrize("name", LAYOUTS)
def test_damaged_files(tmp_path: Path, name: str) -> None:
    layout = LAYOUTS[name]
    path = tmp_path / layout.name
    for number in range(-(-N_CASES // len(LAYOUTS))):
        rng = random.Random(f"{name} {number}")
        content = mutated(layout, rng)
        path.write_bytes(content)
        try:
            check(path, content, layout, block_bytes=rng.choice([20, 50, 100, 300]))
        except BaseException as error:
            error.add_note(f"{name}, case {number}: {content!r}"[:3000])
            raise


def check(path: Path, content: bytes, layout: Layout, *, block_bytes: int) -> None:
    """Read a file as a log and as a catalogue, at once and in small blocks."""
    found, items = read(path, layout, 1 << 20), catalogue(path, layout, 1 << 20)
    if not layout.is_text:
        return
    again = read(path, layout, block_bytes)
    assert (found is None) == (again is None)
    assert catalogue(path, layout, block_bytes) == items
    if found is not None and again is not None:
        assert found[1] == again[1]
        assert listed(found[0]) == listed(again[0])
        if layout.pack is None:
            check_lines(content, layout, found[1])
