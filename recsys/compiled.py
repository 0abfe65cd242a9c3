"""Functions that numba compiles. Importing this imports numba, half a second: only fits and long searches do."""

from collections.abc import Callable
from typing import Any, TypeVar

from numba import njit

Function = TypeVar("Function", bound=Callable[..., Any])

# Sums may be reordered and contracted; NaN and infinity keep their meaning.
_FAST = {"contract", "reassoc", "nsz", "arcp"}


def compiled(function: Function) -> Function:
    """Compile `function` at its first call, without the lock of the interpreter, so that threads run it at once.

    The machine code is kept beside the source, or in the user's cache, where one of the two can be written; otherwise
    every process compiles it again, which takes seconds.
    """
    try:
        made: Function = njit(function, nogil=True, fastmath=_FAST, cache=True)
    except RuntimeError:  # numba: no locator available, because neither place can be written
        made = njit(function, nogil=True, fastmath=_FAST)
    return made
