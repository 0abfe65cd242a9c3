"""Memory that is free within the process goes back to the system, so that a step's peak is its own."""

import ctypes
from collections.abc import Callable
from typing import Any

import pyarrow as pa

_M_ARENA_MAX = -8
"""Of glibc's malloc.h."""


def keep_one_arena() -> None:
    """Let all threads share one arena of the C library; to be called before they allocate.

    Each further arena keeps up to 64 MiB that `give_back` cannot return. Arrays are few and large here, so threads
    hardly ever wait for each other.
    """
    _of_the_c_library("mallopt")(_M_ARENA_MAX, 1)


def give_back() -> None:
    """Return what pyarrow's pool and the C library keep of freed memory; takes milliseconds.

    Reading leaves some 200 MiB in pyarrow's pool, and glibc keeps freed arrays of up to 32 MiB each.
    """
    pa.default_memory_pool().release_unused()
    _of_the_c_library("malloc_trim")(0)


def _of_the_c_library(name: str) -> Callable[..., Any]:
    """glibc's function, or one that does nothing: musl and macOS need none of this."""
    return getattr(ctypes.CDLL(None), name, lambda *_: 0)
