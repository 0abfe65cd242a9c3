"""The compiled loops of the solver: conjugate gradient per row, and the transposition of some columns.

They are compiled at the first fit of a process (about two seconds), because an installation may be read-only and so has
no cache.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np

CG_STEPS = 3
"""As in implicit: three steps from the last value of a row improve it as much as an exact solve would, over a fit."""

_GATHERED = 2**18
"""Float32 values of the other side that are copied side by side for one row (1 MiB, half of a usual L2 cache)."""


@dataclass(frozen=True)
class Kernels:
    """Compiled functions; they release the interpreter lock and write only into their last arguments.

    `solve_rows(indptr, indices, confidence, others, diagonal, regularization, right, unobserved, rows)` improves each
    row x of `rows` float32 (n, d) by `CG_STEPS` steps of conjugate gradient on

        (diag(diagonal) + regularization I + sum_j (c_j - unobserved) y_j y_j') x = sum_j c_j y_j + right

    over its entries j = indptr[row] .. indptr[row + 1]: y_j is row indices[j] of `others` float32 (m, d), c_j is
    confidence[j]. `right`: float32 (n, d), or (0, d) for none. A row without entries is left as it is.
    `take_columns(indptr, indices, confidence, low, high, at, fill, rows, values)` writes the entries of columns low to
    high - 1 column by column: `at` int64 (n_users,) is where each row goes on and is moved past them, `fill` int64
    (high - low,) where each column starts in `rows` int32 and `values` float32.
    """

    solve_rows: Callable[..., None]
    take_columns: Callable[..., None]


@cache
def compiled() -> Kernels:
    """The kernels, compiled once per process."""
    from numba import njit, types  # noqa: PLC0415 (half a second, and the service never fits)

    def read_only(dtype: Any, dimensions: int) -> Any:
        return types.Array(dtype, dimensions, "C", readonly=True)

    # Sums may be reordered, so that they use vector instructions; NaN and infinity stay, and are found after the fit.
    options: dict[str, Any] = {
        "nogil": True,
        "error_model": "numpy",
        "fastmath": {"reassoc", "contract", "nsz", "arcp"},
    }
    real, whole, pointers, columns = types.float32, types.int64, read_only(types.int64, 1), read_only(types.int32, 1)
    reals, table = read_only(real, 1), read_only(real, 2)
    csr = (pointers, columns, reals)
    add_entries = njit(**options)(_add_entries)
    solve = types.void(*csr, table, reals, reals, table, real, types.Array(real, 2, "C"))
    take = types.void(
        *csr, whole, whole, types.int64[::1], types.int64[::1], types.int32[::1], types.Array(real, 1, "C")
    )
    return Kernels(njit(solve, **options)(_solve_rows(add_entries)), njit(take, **options)(_take_columns))


def _add_entries(  # type: ignore[no-untyped-def]
    table, at, confidence, constant, slope, unobserved, vector, out
):
    """Add sum_j (constant c_j + slope (c_j - unobserved) (y_j . vector)) y_j to `out`; y_j is table[at[j]].

    Four entries at a time, so that `vector` and `out` are read once for four.
    """
    n, d = len(confidence), len(vector)
    zero = np.float32(0)
    fours = n - n % 4
    for j in range(0, fours, 4):
        y0, y1, y2, y3 = table[at[j]], table[at[j + 1]], table[at[j + 2]], table[at[j + 3]]
        c0, c1, c2, c3 = confidence[j], confidence[j + 1], confidence[j + 2], confidence[j + 3]
        s0, s1, s2, s3 = zero, zero, zero, zero
        for k in range(d):
            value = vector[k]
            s0 += y0[k] * value
            s1 += y1[k] * value
            s2 += y2[k] * value
            s3 += y3[k] * value
        s0 = constant * c0 + slope * (c0 - unobserved) * s0
        s1 = constant * c1 + slope * (c1 - unobserved) * s1
        s2 = constant * c2 + slope * (c2 - unobserved) * s2
        s3 = constant * c3 + slope * (c3 - unobserved) * s3
        for k in range(d):
            out[k] += s0 * y0[k] + s1 * y1[k] + s2 * y2[k] + s3 * y3[k]
    for j in range(fours, n):
        y = table[at[j]]
        s = zero
        for k in range(d):
            s += y[k] * vector[k]
        s = constant * confidence[j] + slope * (confidence[j] - unobserved) * s
        for k in range(d):
            out[k] += s * y[k]


def _solve_rows(add_entries: Callable[..., None]) -> Callable[..., None]:
    def solve_rows(  # type: ignore[no-untyped-def]
        indptr, indices, confidence, others, diagonal, regularization, right, unobserved, rows
    ):
        n, d = rows.shape
        most = max(_GATHERED // d, 4)
        gathered, in_turn = np.empty((most, d), np.float32), np.empty(most, np.int32)
        residual, direction, image = np.empty(d, np.float32), np.empty(d, np.float32), np.empty(d, np.float32)
        zero, one = np.float32(0), np.float32(1)
        for j in range(most):
            in_turn[j] = j
        for row in range(n):
            start, end = indptr[row], indptr[row + 1]
            if start == end:
                continue
            x, weights, penalty = rows[row], confidence[start:end], regularization[row]
            if end - start <= most:
                for j in range(end - start):
                    y, copy = others[indices[start + j]], gathered[j]
                    for k in range(d):
                        copy[k] = y[k]
                table, at = gathered, in_turn[: end - start]
            else:
                table, at = others, indices[start:end]
            for k in range(d):
                residual[k] = -(diagonal[k] + penalty) * x[k]
            if len(right):
                for k in range(d):
                    residual[k] += right[row, k]
            add_entries(table, at, weights, one, -one, unobserved, x, residual)
            length = zero
            for k in range(d):
                direction[k] = residual[k]
                length += residual[k] * residual[k]
            for _ in range(CG_STEPS):
                if length < np.float32(1e-20):
                    break
                for k in range(d):
                    image[k] = (diagonal[k] + penalty) * direction[k]
                add_entries(table, at, weights, zero, one, unobserved, direction, image)
                curvature = zero
                for k in range(d):
                    curvature += direction[k] * image[k]
                step, shorter = length / curvature, zero
                for k in range(d):
                    x[k] += step * direction[k]
                    residual[k] -= step * image[k]
                    shorter += residual[k] * residual[k]
                growth = shorter / length
                for k in range(d):
                    direction[k] = residual[k] + growth * direction[k]
                length = shorter

    return solve_rows


def _take_columns(  # type: ignore[no-untyped-def]
    indptr, indices, confidence, low, high, at, fill, rows, values
):
    for row in range(len(at)):
        here, end = at[row], indptr[row + 1]
        if here < end and indices[here] < low:
            beyond = end  # a search in halves for the first entry that is not below `low`
            while here < beyond:
                middle = (here + beyond) // 2
                if indices[middle] < low:
                    here = middle + 1
                else:
                    beyond = middle
        while here < end and indices[here] < high:
            to = fill[indices[here] - low]
            rows[to] = row
            values[to] = confidence[here]
            fill[indices[here] - low] = to + 1
            here += 1
        at[row] = here
