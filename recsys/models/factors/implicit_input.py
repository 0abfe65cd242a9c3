"""Matrices that implicit's solvers accept: it checks none of this itself."""

import numpy as np

from recsys.data.arrays import Indices
from recsys.data.matrix import Csr, check_canonical
from recsys.errors import ModelError

_INT32_MAX = 2**31 - 1


def check_solvable(name: str, csr: Csr) -> None:
    """Raise DataError if `csr` is not canonical, ModelError if it is empty or larger than a solver takes.

    In implicit a column out of range ends the process, and repeated entries are counted twice.
    """
    check_canonical(csr)
    if csr.nnz == 0:
        raise ModelError(f"{name}: nothing to learn from: {csr.shape} confidences, none stored")
    if csr.nnz > _INT32_MAX:
        raise ModelError(f"{name}: {csr.nnz} entries, the solver takes at most {_INT32_MAX}")


def writeable(csr: Csr) -> Csr:
    """The same matrix in int32 arrays that are not read-only; the solvers demand that, but only read them."""
    index_arrays = (_unlocked(array) for array in (csr.indices, csr.indptr))
    return Csr((csr.data, *index_arrays), shape=csr.shape, copy=False)


def _unlocked(array: Indices) -> Indices:
    """int32, contiguous; a view of `array` if its memory may be written to, as that of `load_csr`, else a copy."""
    view = np.require(array, np.int32, ["C"]).view(np.ndarray)
    try:
        view.flags.writeable = True
    except ValueError:
        return view.copy()
    return view
