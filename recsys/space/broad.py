"""The main directions of item vectors, in which their broad structure shows."""

import numpy as np

from recsys.data.arrays import Floats
from recsys.retrieval.exact import normalised

_DIMENSIONS = 32


def main_basis(vectors: Floats, *, dimensions: int = _DIMENSIONS) -> Floats:
    """Float32 (D, d), d <= `dimensions`: the right singular vectors of `vectors`, float32 (n, D), largest first."""
    _, main = np.linalg.eigh((vectors.T @ vectors).astype(np.float64))
    return np.ascontiguousarray(main[:, ::-1][:, :dimensions], np.float32)


def broad(vectors: Floats, *, dimensions: int = _DIMENSIONS) -> Floats:
    """Float32 (n, d), d <= `dimensions`: `vectors`, float32 (n, D) of length one, in their main directions.

    Rows are scaled to length one again. In hundreds of dimensions most items are nearly orthogonal to each other, and
    k-means leaves a third of them in one cluster.
    """
    return vectors if vectors.shape[1] <= dimensions else along(vectors, main_basis(vectors, dimensions=dimensions))


def along(vectors: Floats, basis: Floats) -> Floats:
    """Float32 (n, d): `vectors`, float32 (n, D), along the columns of `basis`, float32 (D, d), at length one."""
    return normalised(np.ascontiguousarray(vectors @ basis))
