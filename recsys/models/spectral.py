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
    """Users float32 (n_users, factors) and items float32 (n_items, factors), C-contiguous, to set out from.

    Their inner products are the best approximation of rank `factors` to log(1 + R) where an error in row u and
    column i counts by 1 / (d_u d_i): D_u^1/2 U sqrt(S) and D_i^1/2 V sqrt(S), where U, S, V is the truncated
    singular value decomposition of D_u^-1/2 log(1 + R) D_i^-1/2, R is `csr`, canonical float32 (n_users, n_items),
    and D_u, D_i hold the sums d of the rows and columns of log(1 + R). Found by randomised subspace iteration:
    Halko, Martinsson, Tropp, "Finding Structure with Randomness" (2011), algorithm 4.4.
    Where the matrix has fewer than `factors` dimensions the rest start small and random, as ALS would start them.
    The result is the same to the bit for any number of threads.
    """
    rng = np.random.default_rng(seed)
    left, scale, right = singular_vectors(csr, factors, rng=rng, progress=progress)
    root = np.sqrt(scale)
    row, column = (np.sqrt(sums)[:, None] for sums in log_sums(csr))
    return _padded(left * root * row, factors, rng), _padded(right * root * column, factors, rng)


def singular_vectors(
    csr: Csr, rank: int, *, rng: np.random.Generator, progress: Progress = silent
) -> tuple[Floats, Floats, Floats]:
    """U float32 (n_users, r), S float32 (r,), largest first, and V float32 (n_items, r) of `spectral_start`.

    r is `rank`, or less where the normalised matrix has fewer dimensions that are more than rounding errors.
    """
    normalised = _normalised(csr)
    with threadpool_limits(1, "blas"):  # the order of sums, and so the last bits, would depend on the threads
        return _truncated_svd(normalised, min(rank, *csr.shape), rng, progress)


def _normalised(csr: Csr) -> Csr:
    row, column = (sp.diags_array(inverse_root(sums)) for sums in log_sums(csr))
    return Csr(row @ logarithm(csr) @ column, dtype=np.float32)


def log_sums(csr: Csr) -> tuple[Floats, Floats]:
    """Sums of the rows float32 (n_users,) and of the columns float32 (n_items,) of log(1 + R)."""
    values, (n_users, n_items) = logarithm(csr), csr.shape
    return values @ np.ones(n_items, np.float32), values.T @ np.ones(n_users, np.float32)


def logarithm(csr: Csr) -> Csr:
    """The same places, log(1 + weight)."""
    return Csr((np.log1p(csr.data), csr.indices, csr.indptr), shape=csr.shape)


def inverse_root(sums: Floats) -> Floats:
    """float32 (n,): 1 / sqrt(`sums`), float32 (n,); 0 where there is nothing to sum."""
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
