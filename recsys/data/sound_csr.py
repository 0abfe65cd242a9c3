"""CSR of arrays that are known to be sound: scipy looks at each again, which takes as long as a short search."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Indices
from recsys.data.matrix import Csr

_KEPT_SHAPES = 256


def sound_csr(
    data: NDArray[np.generic], indices: Indices, indptr: Indices, *, shape: tuple[int, int], is_canonical: bool
) -> Csr:
    """CSR of `shape` (n, m) that holds these arrays themselves; nothing is checked.

    `data`, `indices`: (nnz,), values and int32 columns. `indptr`: int32 (n + 1,). `is_canonical`: the columns of
    each row are known to strictly ascend; otherwise scipy looks when it wants to know.
    """
    made = Csr.__new__(Csr)
    vars(made).update(vars(_empty(shape, is_canonical)))  # a copy, without the detour by which Python copies
    made.data, made.indices, made.indptr = data, indices, indptr
    return made


@lru_cache(_KEPT_SHAPES)
def _empty(shape: tuple[int, int], is_canonical: bool) -> Csr:
    n, nothing = shape[0], np.zeros(0, np.float32)
    empty = Csr((nothing, np.zeros(0, np.int32), np.zeros(n + 1, np.int32)), shape=shape)
    if is_canonical:
        empty.has_canonical_format = True  # says too that columns are sorted
    return empty
