"""Files that would be read twice: links to one file, a file beside its compressed copy, copies."""

import filecmp
import hashlib
from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from pathlib import Path, PurePath
from typing import Literal, TypeVar

from recsys.data.ingest.file_formats import FORMATS, plain_name
from recsys.data.ingest.input_files import InputFile, location_of, sha256_of, size_of, start_of
from recsys.data.ingest.partitions import partitions_of
from recsys.data.ingest.text_blocks import COMPRESSIONS, open_bytes
from recsys.errors import DataError

_PIECE = 1 << 20
_START = 1 << 16
_NAMED = 3

Key = TypeVar("Key", bound=Hashable)
Pair = tuple[InputFile, InputFile]
"""Two files; if one of them is left out, the second."""


def without_repeats(files: Sequence[InputFile]) -> tuple[tuple[InputFile, ...], tuple[str, ...]]:
    """The files without those that are another one of them, and a sentence per kind of what is left out or doubtful.

    Links to one file, and a file beside its compressed copy of equal content, are read once: the one that is no link,
    or the plain one. Other files of equal content are both read, because two hours may hold the same rows.
    Raises DataError if of a plain and a compressed file in one folder, one is the beginning of the other.
    """
    linked = list(_links(files))
    kept = _without(files, linked)
    filled = [file for file in kept if size_of(file)]
    beside = list(_beside(filled))
    compressed = [pair for pair in beside if _compared(*pair) == "equal"]
    kept, filled = _without(kept, compressed), _without(filled, compressed)
    notes = {
        "are one file and are read once": linked,
        "hold the same and are read once": compressed,
        "have one name and different content, and are both read": [pair for pair in beside if pair not in compressed],
        "have one name in two formats, and are both read": list(_formats(kept)),
        "have the same content, and are both read": [*_copies(filled), *_compressed_elsewhere(filled)],
    }
    return tuple(kept), tuple(_told(pairs, what) for what, pairs in notes.items() if pairs)


def _told(pairs: Sequence[Pair], what: str) -> str:
    more = f", and {len(pairs) - _NAMED} more such pairs" if len(pairs) > _NAMED else ""
    return f"{'; '.join(f'{one} and {other}' for one, other in pairs[:_NAMED])} {what}{more}"


def _without(files: Sequence[InputFile], pairs: Iterable[Pair]) -> list[InputFile]:
    left_out = {other for _, other in pairs}
    return [file for file in files if file not in left_out]


def _groups(files: Iterable[InputFile], key: Callable[[InputFile], Key]) -> list[list[InputFile]]:
    """The files with equal keys, of which there are at least two."""
    groups: dict[Key, list[InputFile]] = {}
    for file in files:
        groups.setdefault(key(file), []).append(file)
    return [group for group in groups.values() if len(group) > 1]


def _links(files: Sequence[InputFile]) -> Iterator[Pair]:
    for group in _groups(files, _identity):
        first, *others = sorted(group, key=lambda file: (_n_links(file), location_of(file)))
        yield from ((first, other) for other in others)


def _identity(file: InputFile) -> Hashable:
    if not isinstance(file, Path):
        return file
    status = file.stat()
    return status.st_dev, status.st_ino


def _n_links(file: InputFile) -> int:
    """Links among the file and the folders above it."""
    if not isinstance(file, Path):
        return 0
    return sum(part.is_symlink() for part in (file.absolute(), *file.absolute().parents))


def _beside(files: Sequence[InputFile]) -> Iterator[Pair]:
    """Files of one folder and one name, of which the second is compressed."""
    for group in _groups(files, plain_name):
        first, *others = sorted(group, key=lambda file: (_is_compressed(file), location_of(file)))
        yield from ((first, other) for other in others)


def _is_compressed(file: InputFile) -> bool:
    return file.suffix.lower() in COMPRESSIONS


def _compared(one: InputFile, other: InputFile) -> Literal["equal", "different"]:
    """Compare the uncompressed bytes. Raises DataError if one file has rows and goes on in the other."""
    with open_bytes(one) as (first, _), open_bytes(other) as (second, _):
        while (start := first.read(_PIECE)) == (same := second.read(_PIECE)):
            if not start:
                return "equal"
    shorter, longer = (one, other) if len(start) < len(same) else (other, one)
    if max(start, same, key=len).startswith(min(start, same, key=len)) and _has_rows(shorter):
        raise DataError(
            f"{shorter}: is the beginning of {longer}, so that its rows would be read twice; remove it, or name the "
            "files to read"
        )
    return "different"


def _compressed_elsewhere(files: Sequence[InputFile]) -> Iterator[Pair]:
    """Files of one name, partition and content in two folders, of which the second is compressed."""
    if not any(map(_is_compressed, files)):
        return
    for group in _groups(files, lambda file: (plain_name(file).name, *partitions_of(file).items())):
        if len({_is_compressed(file) for file in group}) < 2:
            continue
        for plain, *others in _groups(sorted(group, key=_is_compressed), _start_of_text):
            for other in others:
                apart = location_of(other).parent != location_of(plain).parent
                one_is_compressed = _is_compressed(other) and not _is_compressed(plain)
                if apart and one_is_compressed and _has_rows(plain) and _compared(plain, other) == "equal":
                    yield plain, other


def _formats(files: Sequence[InputFile]) -> Iterator[Pair]:
    named = {plain_name(file): file for file in files if plain_name(file).suffix.lower() in FORMATS}
    stems: dict[PurePath, list[PurePath]] = {}
    for name in named:
        stems.setdefault(name.with_suffix(""), []).append(name)
    for first, *others in stems.values():
        yield from ((named[first], named[other]) for other in others)


def _copies(files: Sequence[InputFile]) -> Iterator[Pair]:
    for same_size in _groups(files, lambda file: size_of(file)):
        for first, *others in _groups(same_size, lambda file: (_start_of_bytes(file), *partitions_of(file).items())):
            if _has_rows(first):
                yield from ((first, other) for other in others if _same_bytes(first, other))


def _same_bytes(one: InputFile, other: InputFile) -> bool:
    if isinstance(one, Path) and isinstance(other, Path):
        return filecmp.cmp(one, other, shallow=False)
    return sha256_of(one) == sha256_of(other)


def _start_of_bytes(file: InputFile) -> bytes:
    with start_of(file) as content:
        return hashlib.sha256(content.read(_START)).digest()


def _start_of_text(file: InputFile) -> bytes:
    with open_bytes(file) as (content, _):
        return hashlib.sha256(content.read(_START)).digest()


def _has_rows(file: InputFile) -> bool:
    """False for a file of one line: many hours without events have the same header."""
    with open_bytes(file) as (content, _):
        return len(content.read(_START).splitlines()) > 1
