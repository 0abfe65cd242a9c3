"""Inverse: of a large symmetric matrix, in its own memory."""

from contextlib import nullcontext

import numpy as np
from scipy.linalg import LinAlgError, inv
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Floats
from recsys.errors import ModelError
from recsys.progress import Progress, silent

ROWS_AT_ONCE = 1024
"""Rows of a block. Three blocks of rows are in memory besides the matrix."""

# Below it, starting BLAS threads costs more than it saves: on a busy machine up to a hundred times the time.
_MANY_ITEMS = 4096


def negative_inverse(
    matrix: Floats, *, stage: str = "inverse", progress: Progress = silent, rows_at_once: int = ROWS_AT_ONCE
) -> None:
    """Replace `matrix`, float32 (n, n), symmetric and positive definite, by minus its inverse, block by block.

    The sweep operator: Goodnight, "A Tutorial on the SWEEP Operator" (1979). LAPACK's factorisation takes as
    much work, but that of scipy 1.17 (OpenBLAS) crashes at 41,000 items, and it reports no progress.
    `stage`: its name in the progress. Raises ModelError if the matrix is not positive definite.
    """
    n_items = len(matrix)
    with threadpool_limits(1, "blas") if n_items < _MANY_ITEMS else nullcontext():
        for start in range(0, n_items, rows_at_once):
            _sweep(matrix, start, min(start + rows_at_once, n_items), rows_at_once)
            progress(stage, min(start + rows_at_once, n_items), n_items)
    _mirror(matrix, rows_at_once)


def _sweep(matrix: Floats, start: int, stop: int, rows_at_once: int) -> None:
    """Sweep the rows `start` to `stop`; only blocks on and above the diagonal are read and written."""
    rows = np.hstack([matrix[:start, start:stop].T, matrix[start:stop, start:]])
    inverse = _inverse(rows[:, start:stop])
    solved = inverse @ rows
    for first in range(0, len(matrix), rows_at_once):
        last = first + rows_at_once
        matrix[first:last, first:] -= solved[:, first:last].T @ rows[:, first:]
    matrix[:start, start:stop] = solved[:, :start].T
    matrix[start:stop, stop:] = solved[:, stop:]
    matrix[start:stop, start:stop] = -inverse


def _inverse(corner: Floats) -> Floats:
    try:
        inverse: Floats = inv(corner.astype(np.float64), assume_a="pos").astype(np.float32)
    except LinAlgError as error:
        message = "ease: the regularised matrix is not positive definite; regularization must be above zero"
        raise ModelError(message) from error
    return inverse


def _mirror(matrix: Floats, rows_at_once: int) -> None:
    """Copy the blocks above the diagonal to below it, in place."""
    for start in range(0, len(matrix), rows_at_once):
        stop = start + rows_at_once
        matrix[stop:, start:stop] = matrix[start:stop, stop:].T
