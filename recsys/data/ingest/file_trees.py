"""File trees: which files and folders there are, on this machine or in an object store."""

import os
from collections import defaultdict
from collections.abc import Hashable
from functools import cached_property
from pathlib import Path
from typing import Protocol, TypeVar

from recsys.data.ingest.input_files import InputFile
from recsys.errors import DataError
from recsys.remote import FileState, RemotePath
from recsys.remote.listing import list_below

AnyPath = TypeVar("AnyPath", Path, RemotePath)
_Path = TypeVar("_Path", Path, RemotePath, contravariant=True)


class FileTree(Protocol[_Path]):
    """The folders and files below a path of a configuration."""

    def exists(self, path: _Path) -> bool:
        """Whether there is a file, a folder or a link of this name."""

    def is_folder(self, path: _Path) -> bool:
        """Whether it is a folder."""

    def names(self, folder: _Path) -> list[str]:
        """The names in a folder, sorted."""

    def identity(self, folder: _Path) -> Hashable:
        """Equal for two paths of one folder, so that a folder within itself, by a link, is noticed."""

    def file(self, path: _Path) -> InputFile:
        """The file `path`. Raises DataError if it cannot be one to read."""


class LocalTree:
    """The file system of this machine."""

    def exists(self, path: Path) -> bool:
        """As in `FileTree`; also a link to nothing."""
        return os.path.lexists(path)

    def is_folder(self, path: Path) -> bool:
        """As in `FileTree`."""
        return path.is_dir()

    def names(self, folder: Path) -> list[str]:
        """As in `FileTree`."""
        return sorted(path.name for path in folder.iterdir())

    def identity(self, folder: Path) -> Hashable:
        """Device and inode."""
        status = folder.stat()
        return status.st_dev, status.st_ino

    def file(self, path: Path) -> Path:
        """As in `FileTree`: a regular file whose name is UTF-8."""
        _check_name(path)
        if path.is_file():
            return path
        there = path.exists()
        if path.is_symlink():
            what = "is not a regular file" if there else "does not exist"
            raise DataError(f"{path}: is a link to {path.readlink()}, which {what}")
        raise DataError(f"{path}: {'is not a regular file' if there else 'no such file'}")


def _check_name(path: Path) -> None:
    try:
        str(path).encode()
    except UnicodeEncodeError as error:
        shown = os.fsencode(path).decode("utf-8", "backslashreplace")
        raise DataError(
            f"{shown}: the name is not UTF-8, which Parquet's and CSV's readers need; rename it"
        ) from error


class RemoteTree:
    """What lies below `root`, listed once."""

    def __init__(self, root: RemotePath) -> None:
        self._root = root

    @cached_property
    def _files(self) -> dict[str, FileState]:
        return list_below(self._root)

    @cached_property
    def _folders(self) -> dict[str, set[str]]:
        folders: dict[str, set[str]] = defaultdict(set)
        for file in self._files:
            below = ""
            for name in file.split("/"):
                folders[below].add(name)
                below = f"{below}/{name}" if below else name
        return folders

    def exists(self, path: RemotePath) -> bool:
        """As in `FileTree`."""
        return (path.below or "") in self._files or self.is_folder(path)

    def is_folder(self, path: RemotePath) -> bool:
        """As in `FileTree`; where one name is an object and has others below it, the object counts."""
        return (path.below or "") not in self._files and (path.below or "") in self._folders

    def names(self, folder: RemotePath) -> list[str]:
        """As in `FileTree`."""
        return sorted(self._folders[folder.below or ""])

    def identity(self, folder: RemotePath) -> Hashable:
        """Its key: object stores have no links."""
        return folder.key

    def file(self, path: RemotePath) -> RemotePath:
        """As in `FileTree`, with the state that the listing told."""
        if (state := self._files.get(path.below or "")) is None:
            raise DataError(f"{path}: no such file or folder")
        return path.with_state(state)
