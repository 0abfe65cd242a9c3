"""Memory that is free within the process goes back to the system, so that a step's peak is its own."""

import ctypes

import pyarrow as pa


def give_back() -> None:
    """Return what pyarrow's pool and the C library keep of freed memory; takes milliseconds.

    Reading leaves some 200 MiB in pyarrow's pool, and glibc keeps freed arrays of up to 32 MiB each.
    """
    pa.default_memory_pool().release_unused()
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)  # glibc has it; musl and macOS give back by themselves
    if trim is not None:
        trim(0)
