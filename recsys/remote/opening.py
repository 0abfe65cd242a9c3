"""Looking into remote files without copying all of them: headers, footers and samples."""

import io
import shutil
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path

import pyarrow as pa

from recsys.remote.failures import remote_errors
from recsys.remote.file_systems import object_store
from recsys.remote.listing import file_state
from recsys.remote.remote_path import WEB, FileState, RemotePath
from recsys.remote.transfer import Copy, fetch, new_folder

_WINDOW = 1 << 18
"""Bytes that one request reads at least: all that most headers, footers and first rows need."""

_KEPT_FILES, _KEPT_COPIES = 16, 2


@contextmanager
def open_remote(path: RemotePath) -> Iterator[pa.NativeFile]:
    """Open a file for reading anywhere in it.

    Of an object, only what is read is transferred, in windows; a file on a web server is copied first, because not
    all of them can send a part. Raises DataError if it cannot be read, also while it is.
    """
    state = path.state or file_state(path)
    with remote_errors(path):
        if path.target.kind == WEB:
            kept = _copied(path, state) if state.version else _Kept(path)
            with pa.OSFile(str(kept.copy.path)) as file:
                yield file
        else:
            with pa.PythonFile(_Windows(*_opened(path, state)), mode="r") as file:
                yield file


def local_copy(path: RemotePath, to: Path) -> Copy:
    """A copy of a file: one that was made to look into it, if its server says that it is unchanged, else at `to`.

    Raises as `fetch`.
    """
    state = path.state or file_state(path)
    return _copied(path, state).copy if path.target.kind == WEB and state.version else fetch(path, to)


class _Kept:
    """A copy that is removed when it is forgotten, at the end of the process at the latest."""

    def __init__(self, path: RemotePath) -> None:
        folder = new_folder()
        weakref.finalize(self, shutil.rmtree, folder, ignore_errors=True)
        self.copy = fetch(path, folder / "copy")


@lru_cache(_KEPT_COPIES)
def _copied(path: RemotePath, state: FileState) -> _Kept:
    """A copy of a file as it was in `state`."""
    return _Kept(path)


@lru_cache(_KEPT_FILES)
def _opened(path: RemotePath, state: FileState) -> tuple[pa.NativeFile, bytes]:
    """An object as it was in `state`, and its first bytes."""
    system, place = object_store(path)
    file = system.open_input_file(place)
    return file, _whole(file.read_at(min(_WINDOW, file.size()), 0), min(_WINDOW, file.size()))


def _whole(piece: bytes, size: int) -> bytes:
    if len(piece) < size:
        raise EOFError(f"not enough data: {len(piece):,} of {size:,} bytes")
    return piece


class _Windows(io.RawIOBase):
    """An object as a file; what was last read, and its start, are kept."""

    def __init__(self, file: pa.NativeFile, head: bytes) -> None:
        self._file, self._size, self._at = file, file.size(), 0
        self._head, self._window, self._start = head, b"", 0

    def readable(self) -> bool:
        """True."""
        return True

    def seekable(self) -> bool:
        """True."""
        return True

    def tell(self) -> int:
        """The position."""
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Set the position."""
        self._at = offset + (0, self._at, self._size)[whence]
        return self._at

    def read(self, size: int = -1, /) -> bytes:
        """The next bytes: as many as are asked for, fewer only at the end."""
        wanted = max(0, min(self._size - self._at, self._size if size < 0 else size))
        if self._at + wanted <= len(self._head):
            found = self._head[self._at : self._at + wanted]
        else:
            found = self._read_window(wanted)
        self._at += len(found)
        return found

    def _read_window(self, wanted: int) -> bytes:
        if not self._start <= self._at <= self._at + wanted <= self._start + len(self._window):
            self._window, self._start = _whole(self._file.read_at(max(wanted, _WINDOW), self._at), wanted), self._at
        offset = self._at - self._start
        return self._window[offset : offset + wanted]
