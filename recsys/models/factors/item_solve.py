"""Exact vectors of single items after a fit, pulled to a mean of their own."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Doubles, Floats
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.map_ordered import one_blas_thread
from recsys.models.factors.fold_in import gram_matrix
from recsys.models.factors.objective import AlsObjective

_DOUBLES_AT_ONCE = 2**20


@dataclass(frozen=True, eq=False)
class AllUsers:
    """What the equations of items take from all users. `gram`: float64 (d, d), X'X. `n`: how many users there are."""

    gram: Doubles
    n: int

    @staticmethod
    def of(users: Floats) -> "AllUsers":
        """Of these, float32 (n, d)."""
        with one_blas_thread():
            return AllUsers(gram_matrix(users), len(users))


def solve_items(
    confidence: Csr,
    users: Floats,
    mean: Floats,
    objective: AlsObjective,
    *,
    strength: float,
    every: AllUsers | None = None,
) -> Floats:
    """Float32 (n, d): for each of n items the minimum over y of

        sum over all users u of  c_u (p_u - x_u . y)^2  +  strength lambda |y - mean|^2

    where p_u is 1 for a stored entry, and 0 for all others, whose c_u is the objective's `unobserved_weight`. So

        (X'X + strength lambda I + sum_u (c_u - 1) x_u x_u') y = sum_u c_u x_u + strength lambda mean

    if that weight is 1 (Hu, Koren, Volinsky 2008, with a Gaussian prior of another mean). `confidence`: canonical
    float32 CSR (n, n_users), the entries of the items. `users`: float32 (n_users, d). `mean`: float32 (n, d). An item
    without entries is its mean up to what all users pull it to zero. Items of one length are solved together, in the
    dimension of their entries, as in `UserEquations`. `every`: of all users, if `users` has some of them only.
    Raises ModelError if the strength is not above zero, or an item has no unique solution.
    """
    if not strength > 0 or confidence.shape != (len(mean), len(users)):
        raise ModelError(f"items: strength {strength}, {confidence.shape} entries for {mean.shape}; expected above 0")
    solved = np.empty(mean.shape, np.float32)
    length = np.diff(confidence.indptr)
    every = every or AllUsers.of(users)
    with one_blas_thread():
        spectrum, basis = np.linalg.eigh(every.gram)
        for m in np.unique(length).tolist():
            pull = strength * float(objective.row_regularization(np.array([m], np.int32), every.n)[0])
            pull /= objective.unobserved_weight
            rows = np.flatnonzero(length == m)
            size = max(1, _DOUBLES_AT_ONCE // (max(m, 1) * users.shape[1]))
            for start in range(0, len(rows), size):
                some = rows[start : start + size]
                entries = confidence.indptr[some][:, None] + np.arange(m)
                known = users[confidence.indices[entries]].astype(np.float64) @ basis
                weight = confidence.data[entries].astype(np.float64) / objective.unobserved_weight
                turned = _solved(known, weight, pull * (mean[some].astype(np.float64) @ basis), spectrum + pull)
                solved[some] = turned @ basis.T
    return solved


def _solved(known: Doubles, weight: Doubles, right: Doubles, diagonal: Doubles) -> Doubles:
    """Float64 (n, d), in the basis of `diagonal`: `known` (n, m, d), `weight` (n, m), `right` (n, d)."""
    whole = right + np.einsum("nm,nmd->nd", weight, known)
    first: Doubles = whole / diagonal
    scaled = known / diagonal
    system = (weight - 1)[..., None] * (scaled @ known.swapaxes(-1, -2))
    at = np.arange(system.shape[-1])
    system[..., at, at] += 1
    try:
        inner = np.linalg.solve(system, ((weight - 1) * np.einsum("nmd,nd->nm", known, first))[..., None])
    except np.linalg.LinAlgError as error:
        raise ModelError("items: an item has no unique solution; regularization must be above zero") from error
    solved: Doubles = first - np.einsum("nmd,nm->nd", scaled, inner[..., 0])
    return solved
