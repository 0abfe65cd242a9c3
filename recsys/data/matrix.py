"""InteractionMatrix: the weight of every user with every item, as a canonical sparse matrix."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from recsys.data.arrays import Floats, Indices, save_array
from recsys.data.id_map import IdMap
from recsys.data.loading import damage_named, load_array
from recsys.errors import DataError

Csr = sp.csr_matrix
"""scipy's CSR; here always float32 with int32 indices, rows sorted by column, no duplicates."""


@dataclass(frozen=True, eq=False)
class InteractionMatrix:
    """Users by items: `csr[u, i]` is the weight of user u's events with item i.

    `csr`: float32 (n_users, n_items), canonical: columns sorted within a row, no duplicates, every stored value
    finite and above zero. `users`, `items`: the id maps of its rows and columns. An item may have no entry.
    Raises DataError if shape, dtype or values are different.
    """

    users: IdMap
    items: IdMap
    csr: Csr

    def __post_init__(self) -> None:
        if self.csr.shape != (len(self.users), len(self.items)):
            raise DataError(
                f"matrix: shape {self.csr.shape}, expected ({len(self.users)}, {len(self.items)}) from the id maps"
            )
        check_canonical(self.csr)

    def __repr__(self) -> str:
        return f"InteractionMatrix({self.n_users:,} users x {self.n_items:,} items, {self.csr.nnz:,} entries)"

    @property
    def n_users(self) -> int:
        """Number of rows."""
        return len(self.users)

    @property
    def n_items(self) -> int:
        """Number of columns."""
        return len(self.items)

    @property
    def item_degree(self) -> Indices:
        """int32 (n_items,): distinct users of each item; 0 for an item without entries."""
        return np.bincount(self.csr.indices, minlength=self.n_items).astype(np.int32)

    def with_items(self, items: IdMap) -> "InteractionMatrix":
        """The matrix over the union of its items and `items`; new items get columns without entries.

        Returns this matrix itself if `items` adds none. The values are shared.
        """
        union = self.items.union(items)
        if union is self.items:
            return self
        column, _ = union.encode(self.items.ids)
        # Both maps are sorted, so the columns of a row stay in order.
        csr = Csr((self.csr.data, column[self.csr.indices], self.csr.indptr), shape=(self.n_users, len(union)))
        return InteractionMatrix(self.users, union, csr)

    def over_items(self, items: IdMap) -> Csr:
        """The same rows over the columns of another map: float32 (n_users, len(items)), canonical.

        Items that are not in `items` are left out, so rows may become empty.
        """
        positions, known = items.encode(self.items.ids)
        column = np.zeros(self.n_items, np.int32)
        column[known] = positions
        kept = known[self.csr.indices]
        row = np.repeat(np.arange(self.n_users, dtype=np.int32), np.diff(self.csr.indptr))[kept]
        return csr_from_pairs(row, column[self.csr.indices[kept]], self.csr.data[kept], (self.n_users, len(items)))

    def save(self, folder: Path) -> None:
        """Write id maps and the three CSR arrays into `folder`, which is made if missing."""
        folder.mkdir(parents=True, exist_ok=True)
        self.users.save(folder / "users.arrow")
        self.items.save(folder / "items.arrow")
        save_csr(self.csr, folder / "matrix")

    @staticmethod
    def load(folder: Path) -> "InteractionMatrix":
        """Read what `save` wrote. Raises ArtifactError if it is missing or damaged."""
        users, items = IdMap.load(folder / "users.arrow"), IdMap.load(folder / "items.arrow")
        return InteractionMatrix(users, items, load_csr(folder / "matrix", (len(users), len(items))))


def csr_from_pairs(row: Indices, col: Indices, weight: Floats, shape: tuple[int, int]) -> Csr:
    """Canonical CSR of (row, col, weight) triples, repeated pairs summed.

    `row`, `col`: int32 (n,); `weight`: float32 (n,). The result shares no memory with them.
    """
    matrix = sp.coo_matrix((weight, (row, col)), shape=shape, dtype=np.float32).tocsr()
    matrix.sum_duplicates()
    return matrix


def empty_csr(shape: tuple[int, int]) -> Csr:
    """Canonical CSR without entries."""
    return csr_from_pairs(np.empty(0, np.int32), np.empty(0, np.int32), np.empty(0, np.float32), shape)


def stacked(parts: Sequence[Csr]) -> Csr:
    """The rows of matrices with the same columns, one after the other; at least one. Canonical if they are."""
    data, indices = (np.concatenate([getattr(part, name) for part in parts]) for name in ("data", "indices"))
    indptr = np.append(0, np.cumsum(np.concatenate([np.diff(part.indptr) for part in parts]), dtype=np.int64))
    shape = (len(indptr) - 1, parts[0].shape[1])
    return Csr((data, indices, indptr.astype(np.int32)), shape=shape)


def presence(csr: Csr) -> Csr:
    """The same entries with weight 1. It shares the index arrays of `csr`."""
    return Csr((np.ones(csr.nnz, np.float32), csr.indices, csr.indptr), shape=csr.shape)


def check_canonical(csr: Csr) -> None:
    """Raise DataError unless `csr` is canonical float32 CSR with finite, positive values in range."""
    if csr.dtype != np.float32 or csr.indices.dtype != np.int32:
        raise DataError(f"matrix: {csr.dtype} values, {csr.indices.dtype} columns; expected float32 and int32")
    try:
        csr.check_format(full_check=True)
    except ValueError as error:
        raise DataError(f"matrix: {error}") from error
    if not csr.has_canonical_format:
        raise DataError("matrix: columns are unsorted or repeated within a row; expected canonical CSR")
    if csr.nnz and not (np.isfinite(csr.data).all() and csr.data.min() > 0):
        raise DataError("matrix: holds weights that are not finite and above zero")


def entries_per_column(csr: Csr) -> Indices:
    """int32 (n_columns,): number of stored entries. Counted in parts, because numpy counts in int64 copies."""
    counts = np.zeros(csr.shape[1], np.int64)
    for start in range(0, csr.nnz, _ENTRIES_AT_ONCE):
        counts += np.bincount(csr.indices[start : start + _ENTRIES_AT_ONCE], minlength=csr.shape[1])
    return counts.astype(np.int32)


def scale_entries(values: Floats, csr: Csr, *, rows: Floats, columns: Floats) -> None:
    """Multiply `values`, float32 (nnz,), one per entry of `csr`, by factors for its row and its column, in place.

    `rows`: float32 (n_rows,). `columns`: float32 (n_columns,). It works on blocks of rows, because numpy
    converts the column indices to int64 for the look-up, which takes twice the memory of the values.
    """
    for start in range(0, csr.shape[0], _ROWS_AT_ONCE):
        indptr = csr.indptr[start : start + _ROWS_AT_ONCE + 1]
        entries = slice(indptr[0], indptr[-1])
        values[entries] *= np.repeat(rows[start : start + _ROWS_AT_ONCE], np.diff(indptr))
        values[entries] *= columns[csr.indices[entries]]


def save_csr(csr: Csr, prefix: Path) -> None:
    """Write `prefix`.indptr.npy, .indices.npy and .data.npy."""
    for part in _PARTS:
        save_array(getattr(csr, part), prefix.with_name(f"{prefix.name}.{part}.npy"))


def load_csr(prefix: Path, shape: tuple[int, int]) -> Csr:
    """Map what `save_csr` wrote, as a matrix of `shape`. Raises ArtifactError if it is not one."""
    names = {part: prefix.with_name(f"{prefix.name}.{part}.npy") for part in _PARTS}
    # Their pages are private, so `implicit_input.writeable` can unlock them.
    parts = {part: load_array(path, private=True) for part, path in names.items()}
    with damage_named(f"{prefix}.*.npy", f"the arrays of a {shape} CSR matrix"):
        if any(array.ndim != 1 for array in parts.values()) or parts["indptr"].dtype.kind != "i":
            raise DataError(f"matrix: {', '.join(f'{name} {it.dtype} {it.shape}' for name, it in parts.items())}")
        csr = sp.csr_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=shape, copy=False)
        check_canonical(csr)
        return csr


_ROWS_AT_ONCE, _ENTRIES_AT_ONCE = 4096, 2**20
_PARTS = ("indptr", "indices", "data")
