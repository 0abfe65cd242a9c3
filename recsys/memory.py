"""Return freed memory to the system, so that the peak of a step does not include the step before."""

import ctypes
from collections.abc import Callable
from typing import Any

import pyarrow as pa

_M_ARENA_MAX, _M_MMAP_THRESHOLD = -8, -3
"""Values in glibc's malloc.h."""

_LARGE = 4 << 20


def keep_one_arena() -> None:
    """Let all threads share one arena of the C library. Call it before they allocate.

    Each further arena keeps up to 64 MiB that `give_back` cannot return. Arrays here are few and large, so threads
    hardly wait for each other.
    """
    _of_the_c_library("mallopt")(_M_ARENA_MAX, 1)


def return_large_arrays() -> None:
    """Let arrays of 4 MiB or more go back to the system as soon as they are freed, those of pyarrow too.

    By itself glibc keeps ever larger ones for the next, and pyarrow's pool whatever it had. New pages cost a little
    time.
    """
    _of_the_c_library("mallopt")(_M_MMAP_THRESHOLD, _LARGE)
    pa.set_memory_pool(pa.system_memory_pool())


def give_back() -> None:
    """Return the freed memory that pyarrow's pool and the C library keep. Takes milliseconds.

    Reading leaves some 200 MiB in pyarrow's pool, and glibc keeps freed arrays of up to 32 MiB each.
    """
    pa.default_memory_pool().release_unused()
    _of_the_c_library("malloc_trim")(0)


def _of_the_c_library(name: str) -> Callable[..., Any]:
    """glibc's function, or one that does nothing: musl and macOS do not need it."""
    return getattr(ctypes.CDLL(None), name, lambda *_: 0)
