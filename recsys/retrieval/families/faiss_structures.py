"""What structures of faiss have in common: threads, bytes, and vectors that make inner products distances."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Lock
from typing import Any, TypeAlias

import faiss
import numpy as np

from recsys.data.arrays import Floats
from recsys.progress import Progress
from recsys.retrieval.rescoring import squared_lengths

# faiss types itself in part only: what it does not name is taken from here, and structures are Any.
native: Any = faiss
Native: TypeAlias = Any
"""A structure of faiss."""

# Compiled distance loops run over this many floats at once; other dimensions fall back to slower ones.
_MULTIPLE = 16
_ROWS_AT_ONCE = 65_536

_MOST_OF_A_VECTOR = 2**26
"""Bytes that a table which faiss computes while it reads may have, beside 16 times the file."""

_reading = Lock()
"""The limits of reading are settings of the whole process."""


def padded_factors(factors: int) -> int:
    """The dimension of augmented vectors: one more than `factors`, and then zeros up to a multiple of 16."""
    return -(-(factors + 1) // _MULTIPLE) * _MULTIPLE


def longest(vectors: Floats) -> float:
    """The largest length among `vectors`, float32 (n, d)."""
    return float(np.sqrt(squared_lengths(vectors).max(initial=0)))


def mips_to_l2(vectors: Floats, radius: float) -> Floats:
    """float32 (n, padded_factors(d)): x -> (x, sqrt(radius^2 - |x|^2), 0 ...), each of length `radius`.

    For a query (q, 0) the squared distance is |q|^2 + radius^2 - 2 <q, x>: the nearest augmented item has the largest
    inner product (Bachrach et al. 2014, "Speeding up the Xbox recommender system using a Euclidean transformation
    for inner-product spaces"). `vectors`: float32 (n, d), none longer than `radius`.
    """
    longer = padded(vectors)
    longer[:, vectors.shape[1]] = np.sqrt(np.maximum(radius**2 - squared_lengths(vectors), 0))
    return longer


def padded(vectors: Floats) -> Floats:
    """float32 (n, padded_factors(d)): queries x -> (x, 0 ...), `vectors` being float32 (n, d)."""
    n, factors = vectors.shape
    longer = np.zeros((n, padded_factors(factors)), np.float32)
    longer[:, :factors] = vectors
    return longer


@contextmanager
def threads_of_faiss(n: int) -> Iterator[None]:
    """`n` threads for what faiss does meanwhile in this one."""
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(n)
    try:
        yield
    finally:
        faiss.omp_set_num_threads(before)


def add_all(structure: Native, vectors: Floats, radius: float, *, name: str, progress: Progress) -> None:
    """Add `vectors`, float32 (n, d), augmented to length `radius`, to `structure`; memory for one block besides."""
    for start in range(0, len(vectors), _ROWS_AT_ONCE):
        structure.add(mips_to_l2(vectors[start : start + _ROWS_AT_ONCE], radius))
        progress(f"build {name}", min(start + _ROWS_AT_ONCE, len(vectors)), len(vectors))


def to_bytes(structure: Native) -> memoryview:
    """What `parse` reads."""
    return memoryview(faiss.serialize_index(structure).data)


def parse(data: memoryview, shape: tuple[int, int], *, expected: type) -> Native:
    """The structure in `data`, which it keeps in use: nothing large is copied. Keep `data` as long as it.

    faiss's limits keep a damaged length from taking all memory.
    Raises RuntimeError or ValueError unless it is `expected`, over augmented vectors of `shape` (n_items, d).
    """
    content = np.frombuffer(data, np.uint8)
    with _reading:
        native.set_deserialization_loop_limit(len(content))
        native.set_deserialization_vector_byte_limit(_MOST_OF_A_VECTOR + 16 * len(content))
        structure = native.read_index(native.ZeroCopyIOReader(faiss.swig_ptr(content), len(content)))
    if expected not in type(structure).__mro__:
        raise ValueError(f"{type(structure).__name__}, expected {expected.__name__}")
    if (structure.ntotal, structure.d) != (shape[0], padded_factors(shape[1])):
        raise ValueError(f"a structure over {(structure.ntotal, structure.d)} does not fit vectors of shape {shape}")
    return structure
