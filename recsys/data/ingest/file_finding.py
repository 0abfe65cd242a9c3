"""Which files a log or a catalogue consists of: found by name, in folders and by patterns, in a fixed order."""

import os
from collections.abc import Hashable, Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path, PurePath
from typing import Generic

from recsys.data.ingest.file_trees import AnyPath, FileTree, LocalTree, RemoteTree
from recsys.data.ingest.input_files import InputFile, location_of
from recsys.data.ingest.repeated_files import without_repeats
from recsys.errors import DataError
from recsys.remote import RemotePath

SKIPPED = ("_", ".")
"""Markers and temporary files of writers start like this (`_SUCCESS`, `_temporary/`, `.part-0.crc`)."""

_ADVICE = {"_delta_log": 'set format = "delta"', ".hoodie": "export it"}
_TABLES = {"_delta_log": "Delta Lake", ".hoodie": "Hudi"}
_GLOB_SIGNS = "*?["
_ANY_DEPTH = "**"


@dataclass(frozen=True)
class FoundFiles:
    """`files`: in the order of their paths, each once. `notes`: sentences about files that are one, or may be.

    `n_repeated`: files that were found and left out, because they are one of `files` under another name.
    """

    files: tuple[InputFile, ...]
    notes: tuple[str, ...] = ()
    n_repeated: int = 0


def find_files(paths: Iterable[InputFile]) -> FoundFiles:
    """The files that `paths` (files, folders and patterns) name, sorted by path, each once.

    A folder means every file below it. In folders and by patterns, files and folders whose names start with `_` or
    `.` are skipped, except if the same part of the pattern starts so too; a file that is named outright is
    read. A folder that a pattern matches is read as a whole. `**` in a pattern is any number of folders.
    In an object store the same holds; what lies below the part of a pattern before its first sign is listed once.
    Raises DataError for a path that names no file, a link to nothing, a file that is not a regular one, a folder that
    cannot be read or holds files that are no longer valid (Delta Lake, Hudi), and two files of which one is the
    beginning of the other (`without_repeats`).
    """
    try:
        named: dict[PurePath, InputFile] = {}
        for file in (file for path in paths for file in _files_of(path)):
            named.setdefault(PurePath(os.path.normpath(location_of(file))), file)
        files, notes = without_repeats([named[key] for key in sorted(named)])
        return FoundFiles(files, notes, len(named) - len(files))
    except OSError as error:
        raise DataError(f"{error.filename or ''}: cannot be read: {error.strerror or error}") from error


def _files_of(path: InputFile) -> list[InputFile]:
    if isinstance(path, RemotePath):
        is_pattern, found = len(path.pattern) > 0, _remote_files(path)
    else:
        is_pattern, found = not path.exists() and any(sign in str(path) for sign in _GLOB_SIGNS), _local_files(path)
    if not found:
        nothing = "no file matches this pattern" if is_pattern else "the folder holds no file"
        raise DataError(f"{path}: {nothing}; names that start with _ or . are skipped")
    return found


def _local_files(path: Path) -> list[InputFile]:
    finder = _Finder(LocalTree())
    if not path.exists() and any(sign in str(path) for sign in _GLOB_SIGNS):
        return list(finder.matches(Path(path.anchor), path.relative_to(path.anchor).parts))
    return list(finder.below(path))


def _remote_files(path: RemotePath) -> list[InputFile]:
    if path.pattern:
        return list(_Finder(RemoteTree(path.root())).matches(path.root(), path.pattern))
    return list(_Finder(RemoteTree(path)).below(path))


@dataclass(frozen=True)
class _Finder(Generic[AnyPath]):
    """Finds files in one tree."""

    tree: FileTree[AnyPath]

    def below(self, path: AnyPath, above: tuple[Hashable, ...] = ()) -> Iterator[InputFile]:
        """The file `path`, or the files below the folder `path`; a folder within itself, by a link, is left out."""
        if not self.tree.is_folder(path):
            yield self.tree.file(path)
            return
        here = self.tree.identity(path)
        if here not in above:
            names = self.tree.names(path)
            _check_plain(path, names)
            for name in names:
                if not name.startswith(SKIPPED):
                    yield from self.below(path / name, (*above, here))

    def matches(self, folder: AnyPath, parts: tuple[str, ...]) -> Iterator[InputFile]:
        """The files that a pattern of `parts` names, from `folder` on."""
        if not parts:
            yield from self.below(folder)
            return
        part, rest = parts[0], parts[1:]
        if part == _ANY_DEPTH:
            yield from self._at_any_depth(folder, rest)
        elif not self._is_pattern(folder, part):
            if self.tree.exists(folder / part):
                yield from self.matches(folder / part, rest)
        elif self.tree.is_folder(folder):
            for name in self.tree.names(folder):
                skipped = name.startswith(SKIPPED) and name[0] != part[0]
                if not skipped and fnmatchcase(name, part) and (not rest or self.tree.is_folder(folder / name)):
                    yield from self.matches(folder / name, rest)

    def _is_pattern(self, folder: AnyPath, part: str) -> bool:
        """A name with glob signs is a name first."""
        return any(sign in part for sign in _GLOB_SIGNS) and not self.tree.exists(folder / part)

    def _at_any_depth(
        self, folder: AnyPath, rest: tuple[str, ...], above: tuple[Hashable, ...] = ()
    ) -> Iterator[InputFile]:
        if not self.tree.is_folder(folder):
            return
        here = self.tree.identity(folder)
        if here in above:
            return
        yield from self.matches(folder, rest)
        for name in self.tree.names(folder):
            if not name.startswith(SKIPPED) and self.tree.is_folder(folder / name):
                yield from self._at_any_depth(folder / name, rest, (*above, here))


def _check_plain(folder: Path | RemotePath, names: list[str]) -> None:
    for table in _TABLES.keys() & set(names):
        raise DataError(
            f"{folder}: is a {_TABLES[table]} table ({table}), whose files hold rows that were deleted or replaced "
            f"too; {_ADVICE[table]}, or, if rows are only ever added, name its files by a pattern such as "
            f"{folder / '**/*.parquet'}"
        )
