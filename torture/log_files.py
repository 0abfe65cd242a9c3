"""Small sound files of every format, and ways to damage them."""

import gzip
import io
import json
import random
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

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
        """Whether its rows are lines."""
        return not self.name.endswith("parquet")


def separated(separator: str, *, quoted: bool = True, header: bool = True) -> str:
    """Rows of fields."""
    lines = [separator.join(COLUMNS)] if header else []
    for row in ROWS:
        fields = [value if quoted else re.sub(r"[\n\t]|" + re.escape(separator), " ", value) for value in row]
        quotes = quoted and any(sign in fields[-1] for sign in f'"\n{separator}')
        fields[-1] = '"' + fields[-1].replace('"', '""') + '"' if quotes else fields[-1]
        lines.append(separator.join(fields))
    return "\n".join(lines) + "\n"


def objects(between: str, **options: Any) -> str:
    """Rows as JSON objects."""
    return between.join(json.dumps(dict(zip(COLUMNS, row, strict=True)), **options) for row in ROWS)


def parquet(**options: Any) -> bytes:
    """Rows as a Parquet file."""
    table = pa.table(dict(zip(COLUMNS, map(list, zip(*ROWS, strict=True)), strict=True)))
    buffer = io.BytesIO()
    pq.write_table(table, buffer, **options)
    return buffer.getvalue()


def zstd(content: bytes) -> bytes:
    """Compressed."""
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
    """One bit is another."""
    at = rng.randrange(len(data))
    return data[:at] + bytes([data[at] ^ (1 << rng.randrange(8))]) + data[at + 1 :]


def cut(rng: random.Random, data: bytes) -> bytes:
    """The end is missing."""
    return data[: rng.randrange(len(data))]


def remove(rng: random.Random, data: bytes) -> bytes:
    """Up to 39 bytes are missing."""
    start = rng.randrange(len(data))
    return data[:start] + data[start + rng.randrange(40) :]


def insert(rng: random.Random, data: bytes) -> bytes:
    """Something is inserted."""
    at = rng.randrange(len(data) + 1)
    return data[:at] + rng.choice(INSERTED) + data[at:]


def repeat_line(rng: random.Random, data: bytes) -> bytes:
    """A line is there twice."""
    lines = data.splitlines(keepends=True)
    lines.insert(rng.randrange(len(lines) + 1), rng.choice(lines))
    return b"".join(lines)


def swap_lines(rng: random.Random, data: bytes) -> bytes:
    """Two lines change places."""
    lines = data.splitlines(keepends=True)
    first, second = rng.randrange(len(lines)), rng.randrange(len(lines))
    lines[first], lines[second] = lines[second], lines[first]
    return b"".join(lines)


def other_line_ends(rng: random.Random, data: bytes) -> bytes:
    """Some lines end otherwise."""
    return data.replace(b"\n", rng.choice([b"\r\n", b"\r", b"\n\n", b"\n\r", b""]), rng.randrange(1, 30))


def join(rng: random.Random, data: bytes) -> bytes:
    """The file is there twice."""
    return data + rng.choice([b"", b"\xef\xbb\xbf", b"\n"]) + data


def with_other_encoding(rng: random.Random, data: bytes) -> bytes:
    """The rest has another encoding."""
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
