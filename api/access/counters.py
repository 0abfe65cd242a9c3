"""SharedCounters: what has been asked in the last windows of time, by all workers of a service together."""

import fcntl
import hashlib
import mmap
import os
import struct
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from limits.storage import Storage
from limits.storage.base import SlidingWindowCounterSupport

_SLOT = struct.Struct("<QqqQQ")  # digest of the key, length of a window, number of the window, counts: before, in it
_WAYS = 16
_SETS = 1024
_BYTES = _SETS * _WAYS * _SLOT.size


class SharedCounters(Storage, SlidingWindowCounterSupport):
    """A storage for `limits`: a table of fixed size in a file that all workers map, or in memory for one worker.

    A key has one of 16 places. If all are taken, the one whose window began longest ago is given up, so that memory
    is bounded whatever is asked. Calls take microseconds, and wait for those of other workers only.
    """

    STORAGE_SCHEME = None

    def __init__(self, path: Path | None = None, *, clock: Callable[[], float] = time.time) -> None:
        super().__init__()
        self._clock = clock
        self._file = -1
        if path is not None:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            os.ftruncate(self._file, _BYTES)
        self._table = mmap.mmap(self._file, _BYTES)

    @property
    def base_exceptions(self) -> type[Exception]:
        """What reading and writing may raise."""
        return OSError

    def acquire_sliding_window_entry(self, key: str, limit: int, expiry: int, amount: int = 1) -> bool:
        """Count `amount` more if no more than `limit` are in the last `expiry` seconds then."""
        with self._locked():
            at, window, before, count = self._find(key, expiry)
            if before * self._left(expiry) / expiry + count + amount > limit:
                return False
            self._write(at, key, expiry, (window, before, count + amount))
            return True

    def get_sliding_window(self, key: str, expiry: int) -> tuple[int, float, int, float]:
        """Count of the window before and seconds that it still matters, count of this window and seconds likewise."""
        with self._locked():
            _, _, before, count = self._find(key, expiry)
        left = self._left(expiry)
        return before, left if before else 0.0, count, left + expiry

    def clear_sliding_window(self, key: str, expiry: int) -> None:
        """Forget what was counted."""
        with self._locked():
            at, window, _, _ = self._find(key, expiry)
            self._write(at, key, expiry, (window, 0, 0))

    def _left(self, expiry: int) -> float:
        """Seconds until the end of the window that runs."""
        return expiry - self._clock() % expiry

    def _find(self, key: str, expiry: int) -> tuple[int, int, int, int]:
        """The place of `key`, the number of the window that runs, and the counts of that before it and of itself."""
        digest, start = _place(key)
        now = int(self._clock() // expiry)
        oldest, oldest_end = start, float("inf")
        for at in range(start, start + _WAYS * _SLOT.size, _SLOT.size):
            found, length, window, before, count = _SLOT.unpack_from(self._table, at)
            if found == digest and length == expiry:
                shifted = {now: (before, count), now - 1: (count, 0)}.get(window, (0, 0))
                return at, now, *shifted
            if (end := (window + 2) * length) < oldest_end:
                oldest, oldest_end = at, end
        return oldest, now, 0, 0

    def _write(self, at: int, key: str, expiry: int, counts: tuple[int, int, int]) -> None:
        _SLOT.pack_into(self._table, at, _place(key)[0], expiry, *counts)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        if self._file < 0:
            yield
            return
        fcntl.flock(self._file, fcntl.LOCK_EX)
        try:
            yield
        finally:
            fcntl.flock(self._file, fcntl.LOCK_UN)

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Not offered: only the strategy of sliding windows is used."""
        raise NotImplementedError

    def get(self, key: str) -> int:
        """Not offered."""
        raise NotImplementedError

    def get_expiry(self, key: str) -> float:
        """Not offered."""
        raise NotImplementedError

    def check(self) -> bool:
        """Whether the table can be used."""
        return not self._table.closed

    def reset(self) -> None:
        """Forget everything."""
        with self._locked():
            self._table[:] = bytes(_BYTES)

    def clear(self, key: str) -> None:
        """Not offered."""
        raise NotImplementedError


def _place(key: str) -> tuple[int, int]:
    """The digest of a key, never 0, and the first byte of its set."""
    digest = int.from_bytes(hashlib.blake2b(key.encode(), digest_size=8).digest()) | 1
    return digest, (digest >> 1) % _SETS * _WAYS * _SLOT.size
