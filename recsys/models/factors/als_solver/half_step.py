"""A half-step: rows of one side improved, block by block, while the vectors of the other side stay."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats
from recsys.models.factors.als_solver.kernels import Entries, solve_rows


@dataclass(frozen=True, eq=False)
class HalfStep:
    """What all blocks of a half-step share, whichever process or thread works on them.

    `others`: float32 (m, d), read-only, in the basis in which their Gram matrix is diagonal. `diagonal`: float32
    (d,), its diagonal times the weight of what was not observed. `turn`: float32 (d, d), which brings the rows into
    that basis. `unobserved`: that weight.
    """

    others: Floats
    diagonal: Floats
    turn: Floats
    unobserved: float

    def improved(self, entries: Entries, rows: Floats, regularization: Floats, mean: Floats | None = None) -> Floats:
        """float32 (n, d): `rows`, float32 (n, d), turned and improved; a row without entries is its mean, or zero.

        `regularization`: float32 (n,). `mean`: float32 (n, d) of a prior, in the basis of `others`.
        """
        solved: Floats = rows @ self.turn
        empty = np.diff(entries[0]) == 0
        solved[empty] = 0 if mean is None else mean[empty]
        right = np.empty((0, solved.shape[1]), np.float32) if mean is None else regularization[:, None] * mean
        unobserved = np.float32(self.unobserved)
        solve_rows(entries, self.others, self.diagonal, regularization, right, unobserved, solved)
        return solved
