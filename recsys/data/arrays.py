"""Names for the array types that cross module borders, and how an array is written."""

from pathlib import Path
from typing import TypeVar

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

Array = TypeVar("Array", bound=NDArray[np.generic])

Indices = NDArray[np.int32]
"""Dense positions, int32."""

Floats = NDArray[np.float32]
"""Weights, vectors and scores, float32."""

Doubles = NDArray[np.float64]
"""Sums and products in double precision, float64."""

Bools = NDArray[np.bool_]
"""Marks, one per row or position."""

Seconds = NDArray[np.int64]
"""Points in time, UTC seconds since 1970, int64."""


def read_only(array: Array) -> Array:
    """A read-only view of the same data."""
    view = array.view()
    view.flags.writeable = False
    return view


_SHARED_ONES = read_only(np.ones(2**16, np.float32))


def ones(n: int) -> Floats:
    """float32 (n,), all 1, read-only: for few of them memory that all callers share, so that none is made."""
    return _SHARED_ONES[:n] if n <= len(_SHARED_ONES) else read_only(np.ones(n, np.float32))


LARGEST = 1e15
"""The largest number of a vector: products of two such vectors stay finite in float32."""


def largest(array: NDArray[np.generic]) -> float:
    """The largest absolute number of `array`, 0 if it is empty; NaN if it holds one. Nothing is copied."""
    low, high = float(array.min(initial=0)), float(array.max(initial=0))
    return max(-low, high) if low == low else low


def save_array(array: NDArray[np.generic], path: Path) -> None:
    """Write `array`, C-contiguous, as an npy file. Raises OSError unless every byte was written.

    `numpy.save` leaves the last bytes to C's buffers and does not notice if they no longer fit on the disk.
    """
    whole = np.ascontiguousarray(array)
    with path.open("wb") as file:
        npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(whole))
        file.write(whole.data)
