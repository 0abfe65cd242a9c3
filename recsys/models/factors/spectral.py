"""A spectral start for ALS: the leading singular vectors of the degree-normalised matrix."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Doubles, Floats, read_only
from recsys.data.matrix import Csr, scale_entries
from recsys.map_ordered import map_ordered
from recsys.progress import Progress, silent

Task = TypeVar("Task")
Result = TypeVar("Result")

OVERSAMPLING, PASSES = 32, 2
"""Extra directions and passes over the matrix, beyond the rank. More of either changed no metric."""

# Squared singular values below this share of the largest are rounding errors of float32.
_NEGLIGIBLE = 1e-6

COLUMNS_AT_ONCE, ROWS_AT_ONCE = 48, 4096
"""Columns of a dense block that stay in the cache while a sparse matrix runs over them, and rows of a product."""


@dataclass(frozen=True)
class Blocks:
    """How dense products are split into tasks.

    The splits do not depend on the number of threads, and so neither do the last bits of the result.
    """

    rows: int = ROWS_AT_ONCE
    columns: int = COLUMNS_AT_ONCE

    def of_rows(self, array: Floats) -> list[slice]:
        """Slices of the rows of `array`."""
        return [slice(start, start + self.rows) for start in range(0, len(array), self.rows)]

    def of_columns(self, array: Floats) -> list[slice]:
        """Slices of the columns of `array`."""
        return [slice(start, start + self.columns) for start in range(0, array.shape[1], self.columns)]


DEFAULT_BLOCKS = Blocks()


def spectral_start(
    csr: Csr, factors: int, *, seed: int, progress: Progress = silent, blocks: Blocks = DEFAULT_BLOCKS
) -> tuple[Floats, Floats]:
    """Users float32 (n_users, factors) and items float32 (n_items, factors), C-contiguous, to start from.

    Their inner products are the best approximation of rank `factors` to log(1 + R) if an error in row u and column i
    counts by 1 / (d_u d_i): D_u^1/2 U sqrt(S) and D_i^1/2 V sqrt(S), where U, S, V is the truncated singular value
    decomposition of D_u^-1/2 log(1 + R) D_i^-1/2, R is `csr`, canonical float32 (n_users, n_items),
    and D_u, D_i hold the sums d of the rows and columns of log(1 + R). Found by randomised subspace iteration:
    Halko, Martinsson, Tropp, "Finding Structure with Randomness" (2011), algorithm 4.4.
    If the matrix has fewer than `factors` dimensions, the others start small and random, as ALS would start them.
    The result is the same to the bit for any number of threads.
    """
    rng = np.random.default_rng(seed)
    users, scale, items = singular_vectors(csr, factors, rng=rng, progress=progress, blocks=blocks)
    for vectors, degree in zip((users, items), log_sums(csr), strict=True):
        vectors *= np.sqrt(scale)
        vectors *= np.sqrt(degree)[:, None]
    return _padded(users, factors, rng), _padded(items, factors, rng)


def singular_vectors(
    csr: Csr,
    rank: int,
    *,
    rng: np.random.Generator,
    progress: Progress = silent,
    blocks: Blocks = DEFAULT_BLOCKS,
) -> tuple[Floats, Floats, Floats]:
    """U float32 (n_users, r), S float32 (r,), largest first, and V float32 (n_items, r) of `spectral_start`.

    r is `rank`, or less if the normalised matrix has fewer dimensions that are more than rounding errors.
    """
    matrix = _normalised(csr)
    width = min(rank + OVERSAMPLING, *csr.shape)
    right = rng.standard_normal((csr.shape[1], width), dtype=np.float32)
    with threadpool_limits(1, "blas"):  # the order of BLAS sums depends on the number of threads
        for done in range(PASSES):
            left = _orthonormal(_product(matrix, right, blocks), blocks)
            right = _orthonormal(_product(matrix, left, blocks, transposed=True), blocks)
            del left
            progress("spectral start", done + 1, PASSES + 1)
        left = _product(matrix, right, blocks)
        scale, rotation = (found[..., :rank] for found in _singular(left, blocks))
        left = _rotated(left, rotation / scale, blocks)
        right = _product(matrix, left, blocks, transposed=True)
        right /= scale
    progress("spectral start", PASSES + 1, PASSES + 1)
    return left, scale, right


def log_sums(csr: Csr) -> tuple[Floats, Floats]:
    """Sums of the rows float32 (n_users,) and of the columns float32 (n_items,) of log(1 + R)."""
    values, (n_users, n_items) = logarithm(csr), csr.shape
    return values @ np.ones(n_items, np.float32), values.T @ np.ones(n_users, np.float32)


def logarithm(csr: Csr) -> Csr:
    """The same entries, log(1 + weight)."""
    return Csr((np.log1p(csr.data), csr.indices, csr.indptr), shape=csr.shape)


def inverse_root(sums: Floats) -> Floats:
    """float32 (n,): 1 / sqrt(`sums`), float32 (n,); 0 if there is nothing to sum."""
    root: Floats = np.where(sums > 0, 1 / np.sqrt(np.maximum(sums, np.finfo(np.float32).tiny)), 0).astype(np.float32)
    return root


def _normalised(csr: Csr) -> Csr:
    row, column = (inverse_root(sums) for sums in log_sums(csr))
    values = np.log1p(csr.data)
    scale_entries(values, csr, rows=row, columns=column)
    return Csr((values, csr.indices, csr.indptr), shape=csr.shape)


def _orthonormal(columns: Floats, blocks: Blocks) -> Floats:
    """An orthonormal basis of the span of `columns`, in their memory; directions that are rounding errors are out."""
    scale, rotation = _singular(columns, blocks)
    return _rotated(columns, rotation / scale, blocks)


def _singular(columns: Floats, blocks: Blocks) -> tuple[Floats, Floats]:
    """Singular values (r,) and right singular vectors (w, r) of `columns` (n, w), n >> w, largest first.

    From the eigenvectors of the w x w Gram matrix: a tenth of the time of a QR or SVD of the tall matrix, with half
    the digits, which is enough for subspace iteration.
    """
    parts = (columns[rows] for rows in blocks.of_rows(columns))
    gram = sum(_in_threads(lambda part: (part.T @ part).astype(np.float64), parts))
    return singular_of(np.asarray(gram))


def singular_of(gram: Doubles) -> tuple[Floats, Floats]:
    """The same from the Gram matrix of the columns, float64 (w, w)."""
    values, vectors = np.linalg.eigh(gram)
    kept = values > values[-1] * _NEGLIGIBLE
    return np.sqrt(values[kept])[::-1].astype(np.float32), vectors[:, kept][:, ::-1].astype(np.float32)


def _in_threads(work: Callable[[Task], Result], tasks: Iterable[Task]) -> Iterator[Result]:
    return map_ordered(work, tasks, threads=os.cpu_count())


def _product(matrix: Csr, dense: Floats, blocks: Blocks, *, transposed: bool = False) -> Floats:
    """float32 (n, w), C-contiguous: `matrix` (n, m), or the transpose of `matrix` (m, n), times `dense` (m, w)."""
    from recsys.models.factors.sparse_product import multiply, multiply_transposed  # noqa: PLC0415 (numba)

    product = np.empty((matrix.shape[1 if transposed else 0], dense.shape[1]), np.float32)
    indptr, indices = matrix.indptr.astype(np.int64), np.asarray(matrix.indices, np.int32)
    entries = (read_only(indptr), read_only(indices), read_only(np.asarray(matrix.data)))
    kernel, source = multiply_transposed if transposed else multiply, read_only(dense)

    def fill(columns: slice) -> None:
        kernel(entries, source, columns.start, min(columns.stop, dense.shape[1]), product)

    deque(_in_threads(fill, blocks.of_columns(dense)), maxlen=0)
    return product


def _rotated(columns: Floats, rotation: Floats, blocks: Blocks) -> Floats:
    """float32 (n, r), C-contiguous: `columns` (n, w) times `rotation` (w, r), r <= w, in the memory of `columns`.

    A block of the result ends before the next block of `columns` starts, so nothing is overwritten before it is read.
    """
    n, rank = len(columns), rotation.shape[1]
    flat = columns.reshape(-1)
    parts = _in_threads(lambda rows: columns[rows] @ rotation, blocks.of_rows(columns))
    for rows, part in zip(blocks.of_rows(columns), parts, strict=True):
        flat[rows.start * rank : rows.start * rank + part.size] = part.reshape(-1)
    del flat
    columns.resize((n, rank), refcheck=False)  # the rest of the memory is given back
    return columns


def _padded(vectors: Floats, factors: int, rng: np.random.Generator) -> Floats:
    missing = factors - vectors.shape[1]
    if missing == 0:
        return vectors
    noise = rng.standard_normal((len(vectors), missing), dtype=np.float32) * np.float32(0.01)
    return np.ascontiguousarray(np.hstack([vectors, noise]), np.float32)
