"""Vectors with their length evened out, so that the largest inner product is the nearest vector."""

import numpy as np

from recsys.data.arrays import Floats

# Compiled distance loops run over so many floats at once; other dimensions fall back to slower ones.
_MULTIPLE = 16


def padded_factors(factors: int) -> int:
    """The dimension of augmented vectors: one more than `factors`, and then zeros up to a multiple of 16."""
    return -(-(factors + 1) // _MULTIPLE) * _MULTIPLE


def longest(vectors: Floats) -> float:
    """The largest length among `vectors`, float32 (n, d)."""
    return float(np.sqrt(_squares(vectors).max(initial=0)))


def mips_to_l2(vectors: Floats, radius: float) -> Floats:
    """float32 (n, padded_factors(d)): x -> (x, sqrt(radius^2 - |x|^2), 0 ...), each of length `radius`.

    For a query (q, 0) the squared distance is |q|^2 + radius^2 - 2 <q, x>: the nearest augmented item has the largest
    inner product (Bachrach et al. 2014, "Speeding up the Xbox recommender system using a Euclidean transformation
    for inner-product spaces"). `vectors`: float32 (n, d), none longer than `radius`.
    """
    n, factors = vectors.shape
    longer = np.zeros((n, padded_factors(factors)), np.float32)
    longer[:, :factors] = vectors
    longer[:, factors] = np.sqrt(np.maximum(radius**2 - _squares(vectors), 0))
    return longer


def padded(vectors: Floats) -> Floats:
    """float32 (n, padded_factors(d)): queries x -> (x, 0 ...), `vectors` being float32 (n, d)."""
    n, factors = vectors.shape
    longer = np.zeros((n, padded_factors(factors)), np.float32)
    longer[:, :factors] = vectors
    return longer


def _squares(vectors: Floats) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    """float64 (n,): squared lengths, in blocks, for a float64 copy of a million vectors is large."""
    squares: np.ndarray[tuple[int, ...], np.dtype[np.float64]] = np.einsum(
        "nd,nd->n", vectors, vectors, dtype=np.float64
    )
    return squares
