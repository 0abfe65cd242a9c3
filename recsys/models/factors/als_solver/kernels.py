"""The compiled loops of the solver: conjugate gradient per row, and the transposition of some columns.

Imported late, see `recsys.compiled`.
"""

# mypy: disable-error-code="no-untyped-def,no-untyped-call"

import numpy as np
from numpy.typing import NDArray

from recsys.compiled import compiled
from recsys.data.arrays import Floats, Indices

CG_STEPS = 3
"""As in implicit: over the iterations, three steps from the last value are as good as an exact solve."""

_GATHERED = 2**18
"""Float32 values of the other side that are copied side by side for one row: 1 MiB, half of a usual L2 cache."""

_APART = 64
"""Float32 values between two work vectors, and before the first: 256 bytes.

The compiler lets a vectorised loop run only if its arrays start at least one pass of the loop apart, at most 256
bytes. Small arrays on the heap may lie closer. They go through a scalar loop, which adds up in another order, so the
last bits of a fit would depend on addresses.
"""

Longs = NDArray[np.int64]

Entries = tuple[Longs, Indices, Floats]
"""indptr int64 (n + 1,), indices int32 and confidences float32; row j has the entries indptr[j] to indptr[j + 1] - 1.

All three are read-only: other flags would be another type, for which the loops are compiled again.
"""


@compiled
def _add_entries(table, at, confidence, constant, slope, unobserved, vector, out):
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


@compiled
def solve_rows(
    entries: Entries,
    others: Floats,
    diagonal: Floats,
    regularization: Floats,
    right: Floats,
    unobserved: np.float32,
    rows: Floats,
) -> None:
    """Improve each row x of `rows`, float32 (n, d), by `CG_STEPS` steps of conjugate gradient on

        (diag(diagonal) + regularization I + sum_j (c_j - unobserved) y_j y_j') x = sum_j c_j y_j + right

    over its entries j: c_j is the confidence, y_j the row of `others`, float32 (m, d). `diagonal`: float32 (d,).
    `regularization`: float32 (n,). `right`: float32 (n, d), or (0, d) for none. A row without entries stays as it is.
    """
    indptr, indices, confidence = entries
    n, d = rows.shape
    most = max(_GATHERED // d, 4)
    gathered, in_turn = np.empty((most, d), np.float32), np.empty(most, np.int32)
    work = np.empty((3, _APART + d), np.float32)
    residual, direction, image = work[0][_APART:], work[1][_APART:], work[2][_APART:]
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
        _add_entries(table, at, weights, one, -one, unobserved, x, residual)
        length = zero
        for k in range(d):
            direction[k] = residual[k]
            length += residual[k] * residual[k]
        for _ in range(CG_STEPS):
            if length < np.float32(1e-20):
                break
            for k in range(d):
                image[k] = (diagonal[k] + penalty) * direction[k]
            _add_entries(table, at, weights, zero, one, unobserved, direction, image)
            curvature = zero
            for k in range(d):
                curvature += direction[k] * image[k]
            if curvature == zero:
                break
            step, shorter = length / curvature, zero
            for k in range(d):
                x[k] += step * direction[k]
                residual[k] -= step * image[k]
                shorter += residual[k] * residual[k]
            growth = shorter / length
            for k in range(d):
                direction[k] = residual[k] + growth * direction[k]
            length = shorter


@compiled
def take_columns(
    entries: Entries, low: int, high: int, at: Longs, fill: Longs, rows: Indices, values: Floats
) -> None:
    """Write the entries of the columns `low` to `high` - 1 into `rows` int32 and `values` float32, column by column.

    `at`: int64 (n_rows,), where each row goes on; it is moved past what was taken. `fill`: int64 (high - low,), where
    each column starts in `rows` and `values`; it is moved to where the column ends.
    """
    indptr, indices, confidence = entries
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
