"""Mutated files of every format: each is refused with a message, or every row and line of it is accounted for.

The accounting is checked by a count of its own, which knows nothing of the readers: lines of text, objects of an
array that Python's parser can read, rows of a Parquet footer. Every eighth text file is read again in small blocks,
and as a catalogue; both must come to the same.
"""

import gzip
import json
import logging
import os
import random
import re
import subprocess
import sys
import tempfile
import zlib
from collections import Counter
from dataclasses import dataclass, field, replace
from multiprocessing.pool import ThreadPool
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.config import ItemsConfig, LogConfig
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.catalogue import read_items
from recsys.data.ingest.file_source import FileSource
from recsys.data.ingest.json_layout import JsonLayout, json_layout
from recsys.data.ingest.readers import read_log
from recsys.data.interactions import Interactions
from recsys.errors import RecsysError
from torture.log_files import LAYOUTS, Layout, mutated

NOW = 1_800_000_000
_NAMES = tuple(LAYOUTS)
_AGAIN_EVERY = 8
_PER_PROCESS = 500
_BLOCKS = (20, 50, 100, 300)
_LINE_END = re.compile("\r\n|\r|\n")

Found = tuple[Interactions, RowCounts] | RecsysError


@dataclass
class Campaign:
    """`n_tried` files; `counts`: how many were accepted and refused, and of how many the rows were counted anew."""

    n_tried: int = 0
    counts: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def campaign(n_cases: int, *, first: int = 0, footers: bool = False) -> Campaign:
    """Try the cases from the number `first` on; `footers`: those of `footer_case`."""
    found = Campaign()
    logging.disable(logging.CRITICAL)
    with tempfile.TemporaryDirectory() as folder:
        for number in range(first, first + n_cases):
            content, layout, rng = footer_case(number) if footers else case(number)
            path = Path(folder) / layout.name
            path.write_bytes(content)
            try:
                found.counts.update(try_file(path, content, layout, rng if number % _AGAIN_EVERY == 0 else None))
            except Exception as error:  # whatever it is, it is a failure of this case
                found.failures.append(f"case {number}: {type(error).__name__}: {error}; {content!r}"[:2000])
            found.n_tried += 1
    logging.disable(logging.NOTSET)
    return found


def in_processes(n_cases: int, *, footers: bool = False) -> Campaign:
    """The same in processes of their own, so that one that is ended by a signal is a failure like others."""
    found, starts = Campaign(), range(0, n_cases, _PER_PROCESS)
    with ThreadPool(os.cpu_count()) as pool:
        for part in pool.imap(lambda start: _in_process(start, min(_PER_PROCESS, n_cases - start), footers), starts):
            found.n_tried += part.n_tried
            found.counts.update(part.counts)
            found.failures += part.failures
    return found


def _in_process(first: int, n_cases: int, footers: bool) -> Campaign:
    call = f"ingest.campaign({n_cases}, first={first}, footers={footers})"
    command = f"import json; from torture import ingest; print(json.dumps(vars({call})))"
    ended = subprocess.run([sys.executable, "-c", command], capture_output=True, text=True, check=False)
    if ended.returncode:
        why = f"cases from {first}: ended with {ended.returncode}: {ended.stderr[-500:]}"
        return Campaign(n_cases, failures=[why])
    told = json.loads(ended.stdout)
    return Campaign(told["n_tried"], Counter(told["counts"]), told["failures"])


def case(number: int) -> tuple[bytes, Layout, random.Random]:
    """The file of a number, how it is read, and what chooses the sizes of its blocks."""
    layout, rng = LAYOUTS[_NAMES[number % len(_NAMES)]], random.Random(number)
    return mutated(layout, rng), layout, rng


def footer_case(number: int) -> tuple[bytes, Layout, random.Random]:
    """As `case`, of Parquet files in whose footer up to three bytes are others."""
    rng = random.Random(number)
    layout = rng.choice([each for each in LAYOUTS.values() if not each.is_text])
    content = bytearray(layout.content)
    end = len(content) - 8
    start = end - int.from_bytes(content[end : end + 4], "little")
    for _ in range(rng.randint(1, 3)):
        at = rng.randrange(start, end)
        content[at] = rng.choice([content[at] ^ (1 << rng.randrange(8)), rng.randrange(256), 0, 127, 255])
    return bytes(content), layout, rng


def try_file(path: Path, content: bytes, layout: Layout, rng: random.Random | None) -> list[str]:
    """What became of a file. `rng`: it is read in small blocks and as a catalogue too. AssertionError if wrong."""
    found = read(path, layout, 1 << 20)
    if rng is not None:
        _again(path, layout, found, block_bytes=rng.choice(_BLOCKS))
    if isinstance(found, RecsysError):
        assert path.name in str(found), f"a message without the file: {found}"
        return ["refused"]
    events, counts = found
    assert len(events) == counts.accepted, "events are not those that were accepted"
    told = counts.accepted + counts.n_refused + counts.merged + counts.n_ignored
    assert counts.rows_read == told, f"{counts.rows_read} rows read, {told} accounted for"
    expected = counted(content, layout)
    if expected is None:
        return ["accepted"]
    n, is_lines = expected
    there = counts.rows_read + (counts.blank_lines + counts.quoted_lines if is_lines else 0)
    assert there == n, f"{n} by a count of its own, {there} accounted for: {counts}"
    return ["accepted", "counted anew"]


def _again(path: Path, layout: Layout, found: Found, *, block_bytes: int) -> None:
    items = catalogue(path, layout, 1 << 20)
    if not layout.is_text:
        return
    again = read(path, layout, block_bytes)
    assert catalogue(path, layout, block_bytes) == items, "the catalogue depends on the blocks"
    if isinstance(found, RecsysError) or isinstance(again, RecsysError):
        assert isinstance(found, RecsysError) == isinstance(again, RecsysError), f"{found} / {again}"
        return
    assert found[1] == again[1], f"{found[1]} in one block, {again[1]} in blocks of {block_bytes} bytes"
    assert listed(found[0]) == listed(again[0]), "the events depend on the blocks"


def read(path: Path, layout: Layout, block_bytes: int) -> Found:
    """What is read from a file, or why it is refused as a whole."""
    columns = {"timestamp": "time", "timestamp_unit": "s", "event": "event", "value": "value"}
    log = LogConfig(paths=(path,), max_refused_share=1, **columns, **layout.settings)
    try:
        return read_log(replace(FileSource.of(log), block_bytes=block_bytes), log, now=NOW)
    except RecsysError as error:
        return error


def listed(events: Interactions) -> list[tuple[Any, ...]]:
    """The events, with all that they hold."""
    if events.timestamp is None or events.event is None:
        raise AssertionError("a column is missing")
    ids = zip(events.users.decode(events.user_idx), events.items.decode(events.item_idx), strict=True)
    numbers = zip(events.timestamp.tolist(), events.value.tolist(), events.event.tolist(), strict=True)
    return [(*pair, *rest) for pair, rest in zip(ids, numbers, strict=True)]


def catalogue(path: Path, layout: Layout, block_bytes: int) -> list[Any] | None:
    """The items of a file, None if it is refused as a whole."""
    config = ItemsConfig(path=path, id="item", title="note", attributes=("event", "value"), **layout.settings)
    try:
        items = read_items(config, source=replace(FileSource.of_items(config), block_bytes=block_bytes))
    except RecsysError:
        return None
    return [(items.ids.decode([at]), items.title(at), items.attributes(at)) for at in range(len(items.ids))]


def counted(content: bytes, layout: Layout) -> tuple[int, bool] | None:
    """How many rows a file has, or how many lines but for its header and whether they are lines; None if unclear."""
    if not layout.is_text:
        return pq.ParquetFile(pa.BufferReader(content)).metadata.num_rows, False
    data = _unpacked(content, layout)
    if data is None or data.startswith(b"\0"):  # UTF-16 with the other order of bytes
        return None
    text = data.decode(layout.settings.get("encoding", "utf-8"), "replace")
    if "json" in layout.name and json_layout(text.removeprefix("\ufeff").encode()) is JsonLayout.ARRAY:
        return _objects(text)
    text = re.sub(r"(?m)^\ufeff+", "", text)
    if "\r" in text.replace("\r\n", "") and ('"' in text or "json" in layout.name):
        return None
    ends = "\n" if '"' in text or "json" in layout.name else _LINE_END
    header = _header_lines(text, layout)
    return None if header is None else (_count(text, ends) - header, True)


def _unpacked(content: bytes, layout: Layout) -> bytes | None:
    if layout.pack is None:
        return content
    try:
        return gzip.decompress(content) if layout.name.endswith(".gz") else None
    except (OSError, EOFError, zlib.error):
        return None


def _objects(text: str) -> tuple[int, bool] | None:
    try:
        rows = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return (len(rows), False) if isinstance(rows, list) and all(isinstance(row, dict) for row in rows) else None


def _header_lines(text: str, layout: Layout) -> int | None:
    """Lines up to the end of the header; None if it is not one plain line."""
    if "json" in layout.name or "columns" in layout.settings:
        return 0
    blank = len(text) - len(text.lstrip("\r\n"))
    first = _LINE_END.split(text[blank:], maxsplit=1)[0]
    if '"' in first or first.startswith("sep="):
        return None
    return len(_LINE_END.findall(text[:blank])) + 1


def _count(text: str, end: "str | re.Pattern[str]") -> int:
    n = text.count(end) if isinstance(end, str) else len(end.findall(text))
    return n + (not text.endswith(("\n", "\r")))
