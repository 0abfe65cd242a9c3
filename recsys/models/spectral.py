"""A spectral start: the leading singular vectors of the degree-normalised matrix, where ALS may set out from."""

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr
from recsys.progress import Progress, silent

# Extra directions and passes over the matrix beyond what the rank asks for: with these the vectors are good to the
# precision that a start needs, and more of either changed no metric.
_OVERSAMPLING = 32
_PASSES = 2

# Squared singular values below this share of the largest are rounding errors of float32.
_NEGLIGIBLE = 1e-6


def spectral_start(csr: Csr, factors: int, *, seed: int, progress: Progress = silent) -> tuple[Floats, Floats]:
    """Users float32 (n_users, factors) and items float32 (n_items, factors), C-contiguous: U sqrt(S) and V sqrt(S).

    U, S, V: the truncated singular value decomposition of D_u^-1/2 log(1 + R) D_i^-1/2, where R is `csr`, canonical
    float32 (n_users, n_items), and D are the sums of the rows and columns of log(1 + R). Found by randomised
    subspace iteration: Halko, Martinsson, Tropp, "Finding Structure with Randomness" (2011), algorithm 4.4.
    Where the matrix has fewer than `factors` dimensions the rest start small and random, as ALS would start them.
    The result is the same to the bit for any number of threads.
    """
    rng = np.random.default_rng(seed)
    normalised = _normalised(csr)
    rank = min(factors, *csr.shape)
    with threadpool_limits(1, "blas"):  # the order of sums, and so the last bits, would depend on the threads
        left, scale, right = _truncated_svd(normalised, rank, rng, progress)
    root = np.sqrt(scale)
    return _padded(left * root, factors, rng), _padded(right * root, factors, rng)


def _normalised(csr: Csr) -> Csr:
    values = csr.copy()
    np.log1p(values.data, out=values.data)
    ones = np.ones(max(csr.shape), np.float32)
    row, column = values @ ones[: csr.shape[1]], values.T @ ones[: csr.shape[0]]
    scaled = sp.diags_array(_inverse_root(row)) @ values @ sp.diags_array(_inverse_root(column))
    return Csr(scaled, dtype=np.float32)


def _inverse_root(sums: Floats) -> Floats:
    root: Floats = np.where(sums > 0, 1 / np.sqrt(np.maximum(sums, np.finfo(np.float32).tiny)), 0).astype(np.float32)
    return root


def _truncated_svd(
    matrix: Csr, rank: int, rng: np.random.Generator, progress: Progress
) -> tuple[Floats, Floats, Floats]:
    """Left vectors (n, r), singular values (r,), right vectors (m, r), float32, largest first; r <= rank."""
    width = min(rank + _OVERSAMPLING, *matrix.shape)
    transposed = matrix.T.tocsr()
    basis = matrix @ rng.standard_normal((matrix.shape[1], width), dtype=np.float32)
    for done in range(_PASSES):
        basis = matrix @ _orthonormal(transposed @ _orthonormal(basis))
        progress("spectral start", done + 1, _PASSES + 1)
    basis = _orthonormal(basis)
    projected = transposed @ basis
    scale, rotation = _singular(projected)
    progress("spectral start", _PASSES + 1, _PASSES + 1)
    return (basis @ rotation)[:, :rank], scale[:rank], (projected @ (rotation / scale))[:, :rank]


def _orthonormal(columns: Floats) -> Floats:
    """An orthonormal basis of the span of `columns`; directions that are not really there are left out."""
    scale, rotation = _singular(columns)
    return columns @ (rotation / scale)


def _singular(columns: Floats) -> tuple[Floats, Floats]:
    """Singular values (r,) and right singular vectors (w, r) of `columns` (n, w), n >> w, largest first.

    From the eigenvectors of the w x w Gram matrix: a tenth of the time of a QR or SVD of the tall matrix, at half
    its digits, which subspace iteration does not miss.
    """
    values, vectors = np.linalg.eigh((columns.T @ columns).astype(np.float64))
    kept = values > values[-1] * _NEGLIGIBLE
    return np.sqrt(values[kept])[::-1].astype(np.float32), vectors[:, kept][:, ::-1].astype(np.float32)


def _padded(vectors: Floats, factors: int, rng: np.random.Generator) -> Floats:
    missing = factors - vectors.shape[1]
    noise = rng.standard_normal((len(vectors), missing), dtype=np.float32) * np.float32(0.01)
    return np.ascontiguousarray(np.hstack([vectors, noise]), np.float32)
