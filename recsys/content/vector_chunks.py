"""A file of vectors as chunks of rows that are parsed when they are asked for."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Floats, Indices

ReadRows = Callable[[Indices], tuple[Floats, dict[int, str]]]
"""Rows of a chunk to their vectors, float32 (k, d), and what is wrong by position among them; those are zero."""


@dataclass(frozen=True, eq=False)
class Chunk:
    """Some rows of a file. `ids`: string (n,), one per row; null if it has none. `read`: their vectors."""

    ids: pa.StringArray
    read: ReadRows


@dataclass(frozen=True, eq=False)
class VectorFile:
    """`dimension`: of its vectors. `chunks`: all rows, in order, each time it is called."""

    dimension: int
    chunks: Callable[[], Iterator[Chunk]]


def rows_of(vectors: NDArray[np.number]) -> ReadRows:
    """Reads rows of an array, (n, d), of any kind of numbers."""
    return lambda rows: (np.asarray(vectors[rows], np.float32), {})
