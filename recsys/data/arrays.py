"""Names for the array types that cross module borders."""

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Array = TypeVar("Array", bound=NDArray[np.generic])

Indices = NDArray[np.int32]
"""Dense positions, int32."""

Floats = NDArray[np.float32]
"""Weights, vectors and scores, float32."""

Doubles = NDArray[np.float64]
"""Sums and products in double precision, float64."""

Seconds = NDArray[np.int64]
"""Points in time, UTC seconds since 1970, int64."""


def read_only(array: Array) -> Array:
    """A read-only view of the same data."""
    view = array.view()
    view.flags.writeable = False
    return view
