"""What implicit's solvers can be handed without harm."""

import numpy as np

from recsys.data.arrays import Indices
from recsys.data.matrix import Csr, check_canonical
from recsys.errors import ModelError

_INT32_MAX = 2**31 - 1


def check_solvable(name: str, csr: Csr) -> None:
    """Raise DataError where `csr` is not canonical, ModelError where it is empty or larger than a solver takes.

    implicit checks none of this: a column out of range ends the process, repeated entries are counted twice.
    """
    check_canonical(csr)
    if csr.nnz == 0:
        raise ModelError(f"{name}: nothing to learn from: {csr.shape} confidences, none stored")
    if csr.nnz > _INT32_MAX:
        raise ModelError(f"{name}: {csr.nnz} entries, the solver takes at most {_INT32_MAX}")


def writeable(csr: Csr) -> Csr:
    """The same matrix in arrays that the solvers accept: int32, and not read-only, though they only read them."""
    index_arrays = (_unlocked(array) for array in (csr.indices, csr.indptr))
    return Csr((csr.data, *index_arrays), shape=csr.shape, copy=False)


def _unlocked(array: Indices) -> Indices:
    """int32, contiguous; a view of `array` where the memory below may be written to, as that of `load_csr`."""
    view = np.require(array, np.int32, ["C"]).view(np.ndarray)
    try:
        view.flags.writeable = True
    except ValueError:
        return view.copy()
    return view
