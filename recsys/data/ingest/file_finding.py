"""Which files a log or a catalogue consists of: found by name, in folders and by patterns, in a fixed order."""

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from recsys.data.ingest.repeated_files import without_repeats
from recsys.errors import DataError

SKIPPED = ("_", ".")
"""Markers and temporary files of writers start like this (`_SUCCESS`, `_temporary/`, `.part-0.crc`)."""

_TABLES = {"_delta_log": "Delta Lake", ".hoodie": "Hudi"}
_GLOB_SIGNS = "*?["
_ANY_DEPTH = "**"


@dataclass(frozen=True)
class FoundFiles:
    """`files`: in the order of their paths, each once. `notes`: sentences about files that are one, or may be.

    `n_repeated`: files that were found and left out, because they are one of `files` under another name.
    """

    files: tuple[Path, ...]
    notes: tuple[str, ...] = ()
    n_repeated: int = 0


def find_files(paths: Iterable[Path]) -> FoundFiles:
    """The files that `paths` (files, folders and patterns) name, sorted by path, each once.

    A folder means every file below it. In folders and by patterns, files and folders whose names start with `_` or
    `.` are skipped, except if the same part of the pattern starts so too; a file that is named outright is
    read. A folder that a pattern matches is read as a whole. `**` in a pattern is any number of folders.
    Raises DataError for a path that names no file, a link to nothing, a file that is not a regular one, a folder that
    cannot be read or holds files that are no longer valid (Delta Lake, Hudi), and two files of which one is the
    beginning of the other (`without_repeats`).
    """
    try:
        named: dict[Path, Path] = {}
        for file in (file for path in paths for file in _files_of(path)):
            named.setdefault(Path(os.path.normpath(file.absolute())), file)
        files, notes = without_repeats([named[key] for key in sorted(named)])
        return FoundFiles(files, notes, len(named) - len(files))
    except OSError as error:
        raise DataError(f"{error.filename or ''}: cannot be read: {error.strerror or error}") from error


def _files_of(path: Path) -> list[Path]:
    is_pattern = not path.exists() and any(sign in str(path) for sign in _GLOB_SIGNS)
    found = list(_matches(Path(path.anchor), path.relative_to(path.anchor).parts) if is_pattern else _below(path))
    if not found:
        nothing = "no file matches this pattern" if is_pattern else "the folder holds no file"
        raise DataError(f"{path}: {nothing}; names that start with _ or . are skipped")
    return found


def _below(path: Path, above: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
    """The file `path`, or the files below the folder `path`; a folder within itself, by a link, is left out."""
    if not path.is_dir():
        yield _checked(path)
        return
    status = path.stat()
    here = (status.st_dev, status.st_ino)
    if here not in above:
        names = _names(path)
        _check_plain(path, names)
        for name in names:
            if not name.startswith(SKIPPED):
                yield from _below(path / name, (*above, here))


def _check_plain(folder: Path, names: list[str]) -> None:
    for table in _TABLES.keys() & set(names):
        raise DataError(
            f"{folder}: is a {_TABLES[table]} table ({table}), whose files hold rows that were deleted or replaced "
            "too; export it, or, if rows are only ever added, name its files by a pattern such as "
            f"{folder / '**/*.parquet'}"
        )


def _checked(path: Path) -> Path:
    _check_name(path)
    if path.is_file():
        return path
    if path.is_symlink():
        raise DataError(f"{path}: is a link to {path.readlink()}, which does not exist")
    raise DataError(f"{path}: {'is not a regular file' if path.exists() else 'no such file'}")


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise DataError(
            f"{shown}: the name is not UTF-8, which Parquet's and CSV's readers need; rename it"
        ) from error


def _names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def _matches(folder: Path, parts: tuple[str, ...]) -> Iterator[Path]:
    """The files that a pattern of `parts` names, from `folder` on."""
    if not parts:
        yield from _below(folder)
        return
    part, rest = parts[0], parts[1:]
    if part == _ANY_DEPTH:
        yield from _at_any_depth(folder, rest)
    elif not _is_pattern(folder, part):
        if os.path.lexists(folder / part):
            yield from _matches(folder / part, rest)
    elif folder.is_dir():
        for name in _names(folder):
            skipped = name.startswith(SKIPPED) and name[0] != part[0]
            if not skipped and fnmatchcase(name, part) and (not rest or (folder / name).is_dir()):
                yield from _matches(folder / name, rest)


def _is_pattern(folder: Path, part: str) -> bool:
    """A name with glob signs is a name first."""
    return any(sign in part for sign in _GLOB_SIGNS) and not os.path.lexists(folder / part)


def _at_any_depth(folder: Path, rest: tuple[str, ...], above: tuple[tuple[int, int], ...] = ()) -> Iterator[Path]:
    if not folder.is_dir():
        return
    status = folder.stat()
    here = (status.st_dev, status.st_ino)
    if here in above:
        return
    yield from _matches(folder, rest)
    for name in _names(folder):
        if not name.startswith(SKIPPED) and (folder / name).is_dir():
            yield from _at_any_depth(folder / name, rest, (*above, here))
