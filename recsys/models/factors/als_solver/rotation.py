"""The basis in which a Gram matrix is diagonal: in it, its product with a vector is one of element by element."""

import numpy as np

from recsys.data.arrays import Doubles, Floats
from recsys.map_ordered import map_ordered

_ROWS = 4096


def gram_eigenbasis(vectors: Floats, *, threads: int) -> tuple[Doubles, Doubles]:
    """`eigenbasis` of the Gram matrix of `vectors`, float32 (n, d)."""
    return eigenbasis(gram_of(vectors, threads=threads))


def gram_of(vectors: Floats, *, threads: int) -> Doubles:
    """Float64 (d, d): the Gram matrix of `vectors`, float32 (n, d).

    Products of blocks are float32, their sum is float64, in the order of the blocks.
    """

    def product(rows: slice) -> Floats:
        with np.errstate(all="ignore"):  # what overflows is found below
            part: Floats = vectors[rows].T @ vectors[rows]
        return part

    gram = np.zeros((vectors.shape[1],) * 2)
    for part in map_ordered(product, _blocks(vectors), threads=threads):
        gram += part
    return gram


def eigenbasis(gram: Doubles) -> tuple[Doubles, Doubles]:
    """Eigenvalues float64 (d,), none below 0, and orthonormal eigenvectors float64 (d, d) of `gram`, float64 (d, d).

    Raises FloatingPointError if it is not finite.
    """
    if not np.isfinite(gram).all():
        raise FloatingPointError("the Gram matrix is not finite")
    values, basis = np.linalg.eigh(gram)
    return np.maximum(values, 0), basis


def rotate(vectors: Floats, basis: Doubles, *, threads: int) -> None:
    """Multiply `vectors`, float32 (n, d), by `basis`, float64 (d, d), in place."""
    single = basis.astype(np.float32)

    def rotate_block(rows: slice) -> None:
        with np.errstate(all="ignore"):
            vectors[rows] = vectors[rows] @ single

    for _ in map_ordered(rotate_block, _blocks(vectors), threads=threads):
        pass


def _blocks(vectors: Floats) -> list[slice]:
    return [slice(start, start + _ROWS) for start in range(0, len(vectors), _ROWS)]
