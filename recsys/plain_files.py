"""Plain files: a pipe, a device or a link in the place of a file is refused, before anything waits for it."""

import errno
import mmap
import os
import stat
from io import FileIO
from pathlib import Path

CONTROL_BYTES = 64 * 2**20
"""The most bytes of a small file that is read whole: a pointer, a manifest, a history of publishing."""


def open_plain(path: Path, *, most: int | None = None) -> FileIO:
    """Open a file for reading without waiting for anybody.

    Raises OSError that names `path` if it is missing, a link, no plain file, or longer than `most` bytes.
    """
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    try:
        _check(os.fstat(descriptor), path, most)
        return FileIO(descriptor, "rb")
    except OSError:
        os.close(descriptor)
        raise


def _check(found: os.stat_result, path: Path, most: int | None) -> None:
    if not stat.S_ISREG(found.st_mode):
        raise OSError(errno.EINVAL, "is not a plain file", str(path))
    if most is not None and found.st_size > most:
        raise OSError(errno.EFBIG, f"has {found.st_size:,} bytes, expected at most {most:,}", str(path))


def read_plain(path: Path, *, most: int = CONTROL_BYTES) -> bytes:
    """A whole file's bytes, at most `most`. Raises OSError as `open_plain` does."""
    with open_plain(path, most=most) as file:
        return file.read(os.fstat(file.fileno()).st_size)


def map_plain(path: Path) -> memoryview:
    """A file's bytes, mapped, not read. Raises OSError as `open_plain` does."""
    with open_plain(path) as file:
        if os.fstat(file.fileno()).st_size == 0:
            return memoryview(b"")
        return memoryview(mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ))
