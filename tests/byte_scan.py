"""Every byte of every file below a folder, also as it is after decompression, searched for what must not be there.

Digests, sixteen hexadecimal digits or more, are left out, unless one is looked for: a short id may be among their
digits by chance.
"""

import gzip
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

_DIGEST = re.compile(rb"[0-9a-f]{16,}")


def found_in(folder: Path, needles: Mapping[str, bytes]) -> dict[str, list[str]]:
    """By name of a needle: the files that hold it, as paths below `folder`. File names are searched too."""
    found: dict[str, list[str]] = {}
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        shown = path.relative_to(folder).as_posix()
        contents = [shown.encode(), *_contents(path)]
        for name, needle in needles.items():
            whole = _DIGEST.fullmatch(needle) is not None
            if any(needle in (content if whole else _DIGEST.sub(b"#", content)) for content in contents):
                found.setdefault(name, []).append(shown)
    return found


def _contents(path: Path) -> Iterator[bytes]:
    """The bytes, and what they say when they are decompressed."""
    raw = path.read_bytes()
    yield raw
    if path.suffix == ".gz":
        yield gzip.decompress(raw)
    if path.suffix in {".zst", ".zstd"}:
        yield pa.CompressedInputStream(pa.py_buffer(raw), "zstd").read()
    if raw[:4] == b"PAR1":
        table = pq.read_table(path)
        yield b"\0".join(str(column.to_pylist()).encode() for column in table.columns)
