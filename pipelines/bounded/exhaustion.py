"""Errors that mean that the system refused memory or threads, whichever library raised them."""

import errno
from collections.abc import Iterator

_REFUSED = (
    "can't start new thread",
    "cannot allocate memory",
    "failed to map segment",
    "cannot apply additional memory protection",
    "cannot map zero-fill pages",
    "failed to create thread",
    "failed to launch worker thread",
    "bad_alloc",
    "out of memory",
    "unable to allocate",
)


def exhausted(error: BaseException) -> str | None:
    """What the system refused, as the library says it; None if the error means something else."""
    for each in _chain(error):
        if isinstance(each, MemoryError) or (isinstance(each, OSError) and each.errno == errno.ENOMEM):
            return str(each) or "an allocation was refused"
        if any(sign in str(each).lower() for sign in _REFUSED):
            return str(each).strip().splitlines()[-1]
    return None


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error, and those that it came from."""
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__
