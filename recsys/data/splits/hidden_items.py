"""HiddenItems: warm items without any of their events, as if they had come this morning."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Indices, read_only
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs

_NONE = np.empty(0, np.int32)


@dataclass(frozen=True, eq=False)
class HiddenItems:
    """A matrix without the entries of some items, and those entries.

    `visible`: the matrix over the same users and items; the hidden columns are without entries. `items`: int32 (m,),
    ascending, the hidden ones. `users`: int32 (n,), ascending, rows with a visible and a hidden entry. `relevant`:
    float32 CSR (n, n_items), 1 for the hidden entries of these users.
    """

    visible: InteractionMatrix
    items: Indices
    users: Indices
    relevant: Csr

    @property
    def history(self) -> Csr:
        """float32 CSR (n, n_items): the visible entries of `users`."""
        return self.visible.csr[self.users]


def hide_items(
    matrix: InteractionMatrix,
    share: float,
    *,
    seed: int,
    min_users: int = 5,
    max_users: int | None = None,
    but_not: Indices = _NONE,
) -> HiddenItems:
    """Hide a `share` of the items with at least `min_users` users, drawn by `seed`, at least one if there is any.

    `max_users`: at most so many users are kept, drawn too. `but_not`: int32, items that stay.
    """
    rng = np.random.default_rng(seed)
    warm = np.setdiff1d(np.flatnonzero(matrix.item_degree >= min_users), but_not)
    n_hidden = min(len(warm), max(1, round(share * len(warm))))
    hidden = np.zeros(matrix.n_items, np.bool_)
    hidden[rng.choice(warm, n_hidden, replace=False)] = True
    return _split(matrix, hidden, max_users, rng)


def _split(
    matrix: InteractionMatrix,
    hidden: np.ndarray[tuple[int], np.dtype[np.bool_]],
    most: int | None,
    rng: np.random.Generator,
) -> HiddenItems:
    csr = matrix.csr
    is_hidden = hidden[csr.indices]
    row = np.repeat(np.arange(matrix.n_users, dtype=np.int32), np.diff(csr.indptr))
    visible = csr_from_pairs(row[~is_hidden], csr.indices[~is_hidden], csr.data[~is_hidden], csr.shape)
    ones = np.ones(int(is_hidden.sum()), np.float32)
    relevant = csr_from_pairs(row[is_hidden], csr.indices[is_hidden], ones, csr.shape)
    users = np.flatnonzero((np.diff(visible.indptr) > 0) & (np.diff(relevant.indptr) > 0)).astype(np.int32)
    if most is not None and len(users) > most:
        users = np.sort(rng.choice(users, most, replace=False))
    return HiddenItems(
        visible=InteractionMatrix(matrix.users, matrix.items, visible),
        items=read_only(np.flatnonzero(hidden).astype(np.int32)),
        users=read_only(users),
        relevant=relevant[users],
    )
