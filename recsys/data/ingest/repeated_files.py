"""Files that would be read twice: links to one file, a file beside its compressed copy, copies."""

import filecmp
import hashlib
from collections.abc import Callable, Hashable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

from recsys.data.ingest.file_formats import FORMATS, plain_name
from recsys.data.ingest.partitions import partitions_of
from recsys.data.ingest.text_blocks import COMPRESSIONS, open_bytes
from recsys.errors import DataError

_PIECE = 1 << 20
_START = 1 << 16
_NAMED = 3

Key = TypeVar("Key", bound=Hashable)


def without_repeats(files: Sequence[Path]) -> tuple[tuple[Path, ...], tuple[str, ...]]:
    """The files without those that are another one of them, and a sentence about each that is left out or doubtful.

    Links to one file, and a file beside its compressed copy of equal content, are read once: the one that is no link,
    or the plain one. Two files whose bytes are equal are both read, because two hours may hold the same rows.
    Raises DataError if of a plain and a compressed file of one name, one is the beginning of the other.
    """
    notes: list[str] = []
    kept = _without_links(files, notes)
    kept = _without_compressed_copies(kept, notes)
    _note_formats(kept, notes)
    _note_copies(kept, notes)
    return tuple(kept), tuple(notes)


def _groups(files: Iterable[Path], key: Callable[[Path], Key]) -> list[list[Path]]:
    """The files with equal keys, of which there are at least two."""
    groups: dict[Key, list[Path]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    return [group for group in groups.values() if len(group) > 1]


def _without_links(files: Sequence[Path], notes: list[str]) -> list[Path]:
    left_out: set[Path] = set()
    for group in _groups(files, _identity):
        kept = min(group, key=lambda file: (_n_links(file), file))
        others = [file for file in group if file != kept]
        notes.append(f"{kept}: is the same file as {_listed(others)}; it is read once")
        left_out.update(others)
    return [file for file in files if file not in left_out]


def _identity(file: Path) -> tuple[int, int]:
    status = file.stat()
    return status.st_dev, status.st_ino


def _n_links(file: Path) -> int:
    """Links among the file and the folders above it."""
    return sum(part.is_symlink() for part in (file.absolute(), *file.absolute().parents))


def _without_compressed_copies(files: Sequence[Path], notes: list[str]) -> list[Path]:
    left_out: set[Path] = set()
    for group in _groups((file for file in files if file.stat().st_size), plain_name):
        kept, *others = sorted(group, key=lambda file: (file.suffix.lower() in COMPRESSIONS, file))
        for other in others:
            if _equal_content(kept, other):
                notes.append(f"{kept}: has the same content as {other}; it is read once")
                left_out.add(other)
            else:
                notes.append(f"{kept} and {other}: have one name and different content; both are read")
    return [file for file in files if file not in left_out]


def _equal_content(one: Path, other: Path) -> bool:
    """Whether two plain or compressed files hold the same bytes. Raises DataError if one goes on after the other."""
    with open_bytes(one) as (first, _), open_bytes(other) as (second, _):
        while True:
            start, same = first.read(_PIECE), second.read(_PIECE)
            if not start and not same:
                return True
            if start != same:
                break
        if start[: len(same)] == same[: len(start)] and min(len(start), len(same)) < _PIECE:
            raise DataError(
                f"{one} and {other}: one is the beginning of the other, so its rows would be read twice; "
                "remove the shorter one, or name the files to read"
            )
        return False


def _note_formats(files: Sequence[Path], notes: list[str]) -> None:
    named = {plain_name(file): file for file in files if plain_name(file).suffix.lower() in FORMATS}
    for first, *others in _groups(named, lambda name: name.with_suffix("")):
        shown = _listed([named[other] for other in others])
        notes.append(f"{named[first]} and {shown}: have one name in several formats; all are read")


def _note_copies(files: Sequence[Path], notes: list[str]) -> None:
    filled = [file for file in files if file.stat().st_size]
    copies = [
        (group[0], other)
        for same_size in _groups(filled, lambda file: (file.stat().st_size, tuple(partitions_of(file).items())))
        for group in _groups(same_size, _start)
        for other in group[1:]
        if _has_rows(group[0]) and filecmp.cmp(group[0], other, shallow=False)
    ]
    if copies:
        pairs = "; ".join(f"{one} and {other}" for one, other in copies[:_NAMED])
        more = f" and {len(copies) - _NAMED} more" if len(copies) > _NAMED else ""
        notes.append(f"files with the same content, all of which are read: {pairs}{more}")


def _start(file: Path) -> bytes:
    with file.open("rb") as content:
        return hashlib.sha256(content.read(_START)).digest()


def _has_rows(file: Path) -> bool:
    """False for a file of one line: many hours without events have the same header."""
    with open_bytes(file) as (content, _):
        return len(content.read(_START).splitlines()) > 1


def _listed(files: Sequence[Path]) -> str:
    shown = ", ".join(str(file) for file in files[:_NAMED])
    return f"{shown} and {len(files) - _NAMED} more" if len(files) > _NAMED else shown
