"""A spectral start: the leading singular vectors of the degree-normalised matrix, where ALS may set out from."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import numpy as np
import scipy.sparse as sp
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.data.matrix import Csr, scale_entries
from recsys.progress import Progress, silent

OVERSAMPLING, _PASSES = 32, 2
"""Extra directions and passes over the matrix beyond what the rank asks for: with these the vectors are good to the
precision that a start needs, and more of either changed no metric."""

# Squared singular values below this share of the largest are rounding errors of float32.
_NEGLIGIBLE = 1e-6

COLUMNS_AT_ONCE, _ROWS_AT_ONCE = 48, 4096
"""Work is cut at places that do not depend on the threads, so that neither do the last bits of the result. So many
columns of a dense block stay in the cache while a sparse matrix runs over them."""


_Run = Callable[..., Iterator[Floats]]
"""`map`, on all cores."""


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
    users, scale, items = singular_vectors(csr, factors, rng=rng, progress=progress)
    for vectors, degree in zip((users, items), log_sums(csr), strict=True):
        vectors *= np.sqrt(scale)
        vectors *= np.sqrt(degree)[:, None]
    return _padded(users, factors, rng), _padded(items, factors, rng)


def singular_vectors(
    csr: Csr, rank: int, *, rng: np.random.Generator, progress: Progress = silent
) -> tuple[Floats, Floats, Floats]:
    """U float32 (n_users, r), S float32 (r,), largest first, and V float32 (n_items, r) of `spectral_start`.

    r is `rank`, or less where the normalised matrix has fewer dimensions that are more than rounding errors.
    """
    matrix = _normalised(csr)
    width = min(rank + OVERSAMPLING, *csr.shape)
    right = rng.standard_normal((csr.shape[1], width), dtype=np.float32)
    with _threads() as run:
        for done in range(_PASSES):
            left = _orthonormal(_product(matrix, right, run), run)
            right = _orthonormal(_product(matrix.T, left, run), run)
            del left
            progress("spectral start", done + 1, _PASSES + 1)
        left = _product(matrix, right, run)
        scale, rotation = (found[..., :rank] for found in _singular(left, run))
        left = _rotated(left, rotation / scale, run)
        right = _product(matrix.T, left, run)
        right /= scale
    progress("spectral start", _PASSES + 1, _PASSES + 1)
    return left, scale, right


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


def _normalised(csr: Csr) -> Csr:
    row, column = (inverse_root(sums) for sums in log_sums(csr))
    values = np.log1p(csr.data)
    scale_entries(values, csr, rows=row, columns=column)
    return Csr((values, csr.indices, csr.indptr), shape=csr.shape)


def _orthonormal(columns: Floats, run: _Run) -> Floats:
    """An orthonormal basis of the span of `columns`; directions that are not really there are left out."""
    scale, rotation = _singular(columns, run)
    return _rotated(columns, rotation / scale, run)


def _singular(columns: Floats, run: _Run) -> tuple[Floats, Floats]:
    """Singular values (r,) and right singular vectors (w, r) of `columns` (n, w), n >> w, largest first.

    From the eigenvectors of the w x w Gram matrix: a tenth of the time of a QR or SVD of the tall matrix, at half
    its digits, which subspace iteration does not miss.
    """
    blocks = (columns[start : start + _ROWS_AT_ONCE] for start in range(0, len(columns), _ROWS_AT_ONCE))
    gram = sum(run(lambda block: (block.T @ block).astype(np.float64), blocks))
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * _NEGLIGIBLE
    return np.sqrt(values[kept])[::-1].astype(np.float32), vectors[:, kept][:, ::-1].astype(np.float32)


@contextmanager
def _threads() -> Iterator[_Run]:
    """BLAS gets one thread: with more, the order of its sums would depend on how many there are."""
    with threadpool_limits(1, "blas"), ThreadPoolExecutor(os.cpu_count()) as pool:
        yield pool.map


def _product(matrix: sp.csr_matrix | sp.csc_matrix, dense: Floats, run: _Run) -> Floats:
    """float32 (n, w), C-contiguous: `matrix` (n, m) times `dense` (m, w)."""
    product = np.empty((matrix.shape[0], dense.shape[1]), np.float32)

    def fill(start: int) -> None:
        columns = slice(start, start + COLUMNS_AT_ONCE)
        product[:, columns] = matrix @ np.ascontiguousarray(dense[:, columns])

    deque(run(fill, range(0, dense.shape[1], COLUMNS_AT_ONCE)), maxlen=0)
    return product


def _rotated(columns: Floats, rotation: Floats, run: _Run) -> Floats:
    """float32 (n, r), C-contiguous: `columns` (n, w) times `rotation` (w, r)."""
    product = np.empty((len(columns), rotation.shape[1]), np.float32)

    def fill(start: int) -> None:
        np.matmul(columns[start : start + _ROWS_AT_ONCE], rotation, out=product[start : start + _ROWS_AT_ONCE])

    deque(run(fill, range(0, len(columns), _ROWS_AT_ONCE)), maxlen=0)
    return product


def _padded(vectors: Floats, factors: int, rng: np.random.Generator) -> Floats:
    missing = factors - vectors.shape[1]
    if missing == 0:
        return vectors
    noise = rng.standard_normal((len(vectors), missing), dtype=np.float32) * np.float32(0.01)
    return np.ascontiguousarray(np.hstack([vectors, noise]), np.float32)
