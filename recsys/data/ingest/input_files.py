"""Input files: what the readers of files need to know of one, whether it lies on this machine or elsewhere."""

import hashlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path, PurePath
from typing import cast

import pyarrow as pa

from recsys.errors import DataError
from recsys.remote import FileState, RemotePath
from recsys.remote.listing import file_state as remote_state
from recsys.remote.opening import open_remote
from recsys.remote.transfer import digest_of

InputFile = Path | RemotePath
"""A file on this machine, or in an object store or on a web server."""


def open_file(path: InputFile) -> AbstractContextManager[pa.NativeFile]:
    """Open a file for reading anywhere in it. Raises OSError, or DataError for one that lies elsewhere."""
    if isinstance(path, RemotePath) and path.copy is None:
        return open_remote(path)
    return cast(AbstractContextManager[pa.NativeFile], pa.OSFile(str(path if isinstance(path, Path) else path.copy)))


def state_of(path: InputFile) -> FileState:
    """The state of a file: as it was found, if that says so, else as it is now. Raises DataError."""
    if not isinstance(path, Path):
        return path.state or remote_state(path)
    try:
        found = path.stat()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error
    return FileState(found.st_size, found.st_mtime_ns)


def size_of(path: InputFile) -> int:
    """Bytes of a file, as `state_of`. Raises DataError."""
    return state_of(path).size


def sha256_of(path: InputFile) -> str:
    """sha256 of a file's bytes, in hexadecimal. Raises DataError."""
    if not isinstance(path, Path):
        return digest_of(path)
    try:
        with path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error.strerror}") from error


def location_of(path: InputFile) -> PurePath:
    """Where a file lies, as an absolute path; of one elsewhere, below its scheme and bucket. Not for messages."""
    return path.absolute() if isinstance(path, Path) else path.location


@contextmanager
def start_of(path: InputFile) -> Iterator[pa.NativeFile]:
    """Open a file to look at its first bytes. Raises DataError."""
    try:
        with open_file(path) as file:
            yield file
    except OSError as error:
        raise DataError(f"{path}: cannot be read: {error}") from error
