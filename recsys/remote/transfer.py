"""Transfers: a remote file as a whole, checked, on this machine's disk."""

import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pyarrow as pa

from recsys.errors import DataError
from recsys.map_ordered import map_ordered
from recsys.remote.failures import TransientError, attempted, remote_errors
from recsys.remote.file_systems import ATTEMPTS, object_store, web_server
from recsys.remote.listing import file_state
from recsys.remote.remote_path import WEB, FileState, RemotePath
from recsys.storage import storage_errors

PIECE_BYTES = 4 << 20
_THREADS = 4
"""Pieces of a file that are under way at once."""


@dataclass(frozen=True)
class Copy:
    """A whole file: `path` on this machine's disk, `sha256` in hexadecimal, `state` of the original."""

    path: Path
    sha256: str
    state: FileState


def new_folder() -> Path:
    """A folder for copies: in TMPDIR, else in /var/tmp, which is a disk where /tmp may be memory."""
    large = None if os.environ.get("TMPDIR") or not os.access("/var/tmp", os.W_OK) else "/var/tmp"
    return Path(tempfile.mkdtemp(prefix="recsys-", dir=large))


@contextmanager
def copies_folder() -> Iterator[Path]:
    """A folder for copies, removed at the end."""
    folder = new_folder()
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def fetch(path: RemotePath, to: Path) -> Copy:
    """Copy a file to `to`, `PIECE_BYTES` at a time.

    Raises DataError if it cannot be read, is cut short, or changes meanwhile; StorageError if the disk is full.
    """
    with storage_errors(to.parent, doing=f"while {path} was copied (set TMPDIR to a folder with more room)"):
        return attempted(partial(_transferred, path, to), attempts=_attempts(path))


def digest_of(path: RemotePath) -> str:
    """sha256 of a file, in hexadecimal; nothing is kept. Raises DataError as `fetch`."""
    return attempted(partial(_transferred, path, Path(os.devnull)), attempts=_attempts(path)).sha256


def _attempts(path: RemotePath) -> int:
    """The libraries of object stores ask again by themselves; a body that is cut short they may take as whole."""
    return ATTEMPTS if path.target.kind == WEB else 2


def _transferred(path: RemotePath, to: Path) -> Copy:
    total, states = hashlib.sha256(), list[FileState]()
    pieces = _web_pieces(path, states) if path.target.kind == WEB else _store_pieces(path, states)
    with to.open("wb") as file:
        for piece in pieces:
            total.update(piece)
            file.write(piece)
    return Copy(to, total.hexdigest(), states[0])


def _store_pieces(path: RemotePath, states: list[FileState]) -> Iterator[bytes]:
    """The bytes of an object; its state is added to `states` after the last of them."""
    with remote_errors(path):
        system, place = object_store(path)
        with system.open_input_file(place) as source:
            size, version = source.size(), _version(source)
            read = partial(_piece, path, source, size)
            yield from map_ordered(read, range(0, size, PIECE_BYTES), threads=_THREADS)
        found = file_state(path)
        with system.open_input_file(place) as source:
            _check_unchanged(path, (size, version), (source.size(), _version(source)))
        states.append(FileState(size, found.modified, version))


def _piece(path: RemotePath, source: pa.NativeFile, size: int, start: int) -> bytes:
    wanted = min(PIECE_BYTES, size - start)
    piece: bytes = source.read_at(wanted, start)
    _check_length(path, start + len(piece), start + wanted, size)
    return piece


def _web_pieces(path: RemotePath, states: list[FileState]) -> Iterator[bytes]:
    """The bytes of a file on a web server, by one request; its state is added to `states` after the last of them."""
    state, n_bytes = file_state(path), 0
    with remote_errors(path), web_server().open(path.target.url, block_size=0) as source:
        while piece := source.read(PIECE_BYTES):
            n_bytes += len(piece)
            yield piece
    after = file_state(path)
    _check_unchanged(path, (state.size, state.version), (after.size, after.version))
    _check_length(path, n_bytes, state.size, state.size)
    states.append(state)


def _check_length(path: RemotePath, n_bytes: int, expected: int, size: int) -> None:
    if n_bytes != expected:
        raise TransientError(f"{path}: the transfer broke off: {n_bytes:,} of {size:,} bytes came")


def _check_unchanged(path: RemotePath, before: tuple[int, str], after: tuple[int, str]) -> None:
    if before != after:
        raise DataError(f"{path}: changed while it was read; run again when it is complete")


def _version(source: pa.NativeFile) -> str:
    value = (source.metadata() or {}).get("ETag", b"")
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
