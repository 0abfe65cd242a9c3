"""Fold-in of ALS: the exact vectors of users for given item vectors, of all users or of one history alone."""

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import blas, lapack

from recsys.data.arrays import Bools, Doubles, Floats, Indices
from recsys.data.confidence import ConfidenceWeighting
from recsys.data.matrix import Csr
from recsys.errors import ModelError
from recsys.map_ordered import map_ordered, one_blas_thread
from recsys.models.factors.objective import AlsObjective
from recsys.progress import Progress, silent

# A history of up to d / 7 items is solved in its own dimension, a longer one in d dimensions: what is faster for one
# history at a time, measured with 128 and 512 factors.
_FEW = 7

# The short way has a relative error of about 1e-16 times the condition, whatever the confidences: up to _TRUSTED less
# than that of float32. Beyond it, every history is solved in d dimensions; beyond _SOLVABLE, no digit would be left.
_TRUSTED, _SOLVABLE = 1e8, 1e15

_ENTRIES_PER_BLOCK, _ITEMS_PER_BLOCK, _DOUBLES_PER_STACK = 32_768, 4096, 2**17

STACK_BYTES = 3 * 8 * _DOUBLES_PER_STACK
"""Memory of a thread that solves short histories together."""

KEPT_BYTES = 512 * 2**20
"""The turned item vectors of a whole catalogue are kept while many users are solved, if they are not larger."""


def fold_in(history: Csr, items: Floats, *, weighting: ConfidenceWeighting, regularization: float) -> Floats:
    """Float32 (n, d): for each row of `history` the user vector that is best for the given item vectors.

    `history`: canonical float32 (n, n_items), counts, which `weighting` turns into confidence. `items`: float32
    (n_items, d), unscaled. The exact minimum of one row of the objective of `recsys.models.factors.als`, see
    `UserEquations`. An empty history gives the zero vector.
    Raises DataError if `history` is not over the items of training, ModelError if a row has no unique solution.
    """
    return UserEquations.of(items, regularization).solve(weighting.apply(history))


@dataclass(frozen=True, eq=False)
class UserEquations:
    """What the equations of all users share. For a user u with items H and confidences c_ui > 0 the equation is

        (Y'Y + regularization I + sum over i in H of (c_ui - 1) y_i y_i') x_u = sum over i in H of c_ui y_i

    (Hu, Koren, Volinsky 2008, equation 4).

    `items`: float32 (n_items, d), Y. `unseen`: float64 (d, d), Y'Y + regularization I = V diag(spectrum) V', with
    `basis` V float64 (d, d). A short history of m items is solved in m dimensions. With B = Y_H V,
    K = B diag(1 / spectrum) B' and D = diag(c - 1), whose entries may be negative:

        x_u = V diag(1 / spectrum) B' (I + D K)^-1 c

    (Woodbury 1950; Golub, Van Loan, "Matrix Computations", 2.1.4). A long one is solved in d dimensions by Cholesky
    factorisation, and so are all if the spectrum is too wide. Which of the two depends on the row's length alone,
    every product of a row has the same shape in any company, and BLAS has one thread: to the bit, a row's result does
    not depend on the other rows, nor on the number of threads.

    `counted`: bool (n_items,), the items that a user could have chosen and did not if they are not in the history:
    the sum Y'Y is over these alone. An item that came after training says nothing about those who did not choose
    it; in a history it adds c_ui y_i y_i' instead of (c_ui - 1) y_i y_i'. None: all items.

    `objective`: with a `regularization_exponent` above 0 the regularization is that of a row with m entries, so
    rows of one length share it; `unseen` and `spectrum` hold that of an empty row, the smallest. With an
    `unobserved_weight` alpha0 both sides of the equation are divided by it: c / alpha0, regularization / alpha0.

    `n_items`: of all items, if `items` has some of them only; see `over`.
    """

    items: Floats
    unseen: Doubles
    spectrum: Doubles
    basis: Doubles
    objective: AlsObjective
    counted: Bools | None = None
    n_items: int | None = None

    def over(self, items: Floats) -> "UserEquations":
        """The same equations for histories over some of the items only, `items` float32 (m, d)."""
        return replace(self, items=items, n_items=self._n_items)

    @property
    def _n_items(self) -> int:
        return len(self.items) if self.n_items is None else self.n_items

    @staticmethod
    def of(items: Floats, objective: AlsObjective | float, *, counted: Bools | None = None) -> "UserEquations":
        """The equations for `items`, float32 (n_items, d); they are used, not copied.

        `objective`: a number is the regularization of every row. `counted`: bool (n_items,); an item with a zero
        vector counts or not with the same result, to the bit.
        """
        if not isinstance(objective, AlsObjective):
            objective = AlsObjective(objective)
        with one_blas_thread():  # the order of sums, and so the last bits, would depend on the threads
            if counted is not None and not items[~counted].any():
                counted = None
            gram = gram_matrix(items, counted=counted)
            spectrum, basis = _eigen(gram)
        regularization = _regularization(objective, 0, len(items))
        unseen = gram
        np.fill_diagonal(unseen, gram.diagonal() + regularization)
        return UserEquations(items, unseen, spectrum + regularization, basis, objective, counted)

    def solve(
        self,
        confidence: Csr,
        *,
        out: Floats | None = None,
        threads: int | None = None,
        progress: Progress = silent,
    ) -> Floats:
        """Float32 (n, d): the exact vector of each row; that of an empty row is zero.

        `confidence`: canonical float32 (n, n_items). `out`: float32 (n, d), written to and returned. `threads`: at
        most, see `map_ordered`. `progress` has the stage "users".
        Raises ModelError if `confidence` is over other items, or a row has no unique solution.
        """
        self._check(confidence)
        confidence, n = self._relative(confidence), confidence.shape[0]
        vectors = np.empty((n, self.items.shape[1]), np.float32) if out is None else out
        blocks = _blocks(confidence)
        with one_blas_thread():
            work = partial(self._solve_block, confidence, self._kept(confidence, threads))
            solved = map(work, blocks) if len(blocks) < 2 else map_ordered(work, blocks, threads=threads)
            for block, part in zip(blocks, solved, strict=True):
                vectors[block] = part
                progress("users", block.stop, n)
        return vectors

    def contributions(self, confidence: Csr, targets: Indices) -> Doubles:
        """Float64 (k, m): how much each of the m items of a history adds to the score of each of k target items.

        `confidence`: one row, canonical float32 (1, n_items). `targets`: int32 (k,), positions. With A the matrix of
        the row's equation, x_u is A^-1 sum_i c_ui y_i, so a score is a sum over the history (Hu, Koren, Volinsky
        2008, section 5):

            y_j . x_u = sum over i in H of  c_ui  y_j' A^-1 y_i

        A row of the result sums to that score. An empty history has no contributions: (k, 0).
        Raises ModelError if `confidence` is not one row over the items, or the row has no unique solution.
        """
        self._check(confidence)
        if confidence.shape[0] != 1:
            raise ModelError(f"contributions: {confidence.shape[0]} histories, expected one")
        weight = self._relative(confidence).data.astype(np.float64)
        return self._of_length(len(weight))._parts(confidence, weight, targets)

    def _parts(self, confidence: Csr, weight: Doubles, targets: Indices) -> Doubles:
        with one_blas_thread():
            size = np.array(len(weight) + len(targets))
            if len(weight) and self._is_short(size):
                known, wanted = self._turned(confidence.indices), self._turned(targets) / self.spectrum
                system = _small_system(known, known / self.spectrum, weight - self._unseen_weight(confidence.indices))
                return _solved(system.T, (wanted @ known.T).T).T * weight
            items, wanted = (self.items[at].astype(np.float64) for at in (confidence.indices, targets))
            extra = weight - self._unseen_weight(confidence.indices)
            parts: Doubles = (self._solve_long(items, extra, wanted.T).T @ items.T) * weight
            return parts

    def _unseen_weight(self, items: Indices) -> Doubles | float:
        """What each of `items`, int32 of any shape, weighs in `unseen`: 1, or 0 if it is not counted."""
        return 1.0 if self.counted is None else self.counted[items].astype(np.float64)

    @cached_property
    def condition(self) -> float:
        """Largest by smallest value of the spectrum; infinite if the smallest is not above zero."""
        low, high = float(self.spectrum.min(initial=np.inf)), float(self.spectrum.max(initial=0))
        return high / low if low > 0 else np.inf

    def _relative(self, confidence: Csr) -> Csr:
        """Confidences divided by the weight of what was not observed."""
        if self.objective.unobserved_weight == 1:
            return confidence
        values = confidence.data / np.float32(self.objective.unobserved_weight)
        return Csr((values, confidence.indices, confidence.indptr), shape=confidence.shape)

    def _of_length(self, n_entries: int) -> "UserEquations":
        """The equations of rows with `n_entries`, which is this object if every row has the same regularization."""
        if self.objective.regularization_exponent == 0:
            return self
        n_items = self._n_items
        more = _regularization(self.objective, n_entries, n_items) - _regularization(self.objective, 0, n_items)
        unseen = self.unseen + more * np.eye(len(self.unseen))
        return replace(self, unseen=unseen, spectrum=self.spectrum + more)

    def _check(self, confidence: Csr) -> None:
        if len(self.items) != confidence.shape[1]:
            raise ModelError(
                f"fold-in: {len(self.items)} item vectors for a history over {confidence.shape[1]} items"
            )
        if confidence.nnz and not self.condition <= _SOLVABLE:
            raise _no_solution()

    def _is_short(self, n: NDArray[np.integer]) -> Bools:
        short: Bools = (_FEW * n.astype(np.int64) <= self.items.shape[1]) & (self.condition <= _TRUSTED)
        return short

    def _turned(self, items: Indices) -> Doubles:
        """Float64 (n, d): the vectors of `items`, int32 (n,), times the basis, one product per item."""
        turned: Doubles = self.items[items].astype(np.float64)[:, None, :] @ self.basis
        return turned[:, 0]

    def _kept(self, confidence: Csr, threads: int | None) -> Doubles | None:
        """Float64 (n_items, d): all items turned, if that is worth it and small enough."""
        n_items, d = self.items.shape
        if confidence.nnz < n_items or 8 * n_items * d > KEPT_BYTES:
            return None
        starts = range(0, n_items, _ITEMS_PER_BLOCK)
        parts = map_ordered(
            lambda start: self._turned(np.arange(start, min(start + _ITEMS_PER_BLOCK, n_items), dtype=np.int32)),
            starts,
            threads=threads,
        )
        kept = np.empty((n_items, d))
        for start, part in zip(starts, parts, strict=True):
            kept[start : start + len(part)] = part
        return kept

    def _solve_block(self, confidence: Csr, kept: Doubles | None, rows: slice) -> Floats:
        """Float32 (len(rows), d): short histories in stacks of one length, the others one by one."""
        bounds = confidence.indptr[rows.start : rows.stop + 1]
        first, length = bounds[:-1], np.diff(bounds)
        vectors = np.zeros((len(length), self.items.shape[1]), np.float32)
        short = (length > 0) & self._is_short(length)
        for stack in self._stacks(length, short):
            entries = first[stack][:, None] + np.arange(length[stack[0]])
            weight = confidence.data[entries].astype(np.float64)
            vectors[stack] = self._of_length(int(length[stack[0]]))._solve_short(
                confidence.indices[entries], weight, kept
            )
        for row in np.flatnonzero((length > 0) & ~short):
            stored = slice(first[row], first[row] + length[row])
            known = self.items[confidence.indices[stored]].astype(np.float64)
            weight = confidence.data[stored].astype(np.float64)
            extra = weight - self._unseen_weight(confidence.indices[stored])
            vectors[row] = self._of_length(int(length[row]))._solve_long(known, extra, weight @ known)
        return vectors

    def _stacks(self, length: Indices, short: Bools) -> Iterator[Indices]:
        """The rows that are short, those of one length together, up to _DOUBLES_PER_STACK numbers at once."""
        for m in sorted(set(length[short].tolist())):
            rows = np.flatnonzero(short & (length == m)).astype(np.int32)
            size = max(1, _DOUBLES_PER_STACK // (m * self.items.shape[1]))
            yield from (rows[start : start + size] for start in range(0, len(rows), size))

    def _solve_short(self, items: Indices, weight: Doubles, kept: Doubles | None) -> Doubles:
        """Float64 (n, d): rows of m items; `items`, `weight` (n, m)."""
        turned = self._turned(items.ravel()) if kept is None else kept[items.ravel()]
        known = turned.reshape(*items.shape, -1)
        scaled = known / self.spectrum
        extra = weight - self._unseen_weight(items)
        inner = _solved(_small_system(known, scaled, extra), weight[..., None])
        vectors: Doubles = (inner.swapaxes(1, 2) @ scaled) @ self.basis.T
        return vectors[:, 0]

    def _solve_long(self, known: Doubles, extra: Doubles, right: Doubles) -> Doubles:
        """A^-1 `right`, float64 (d,) or (d, k), for a history of `known` items, float64 (m, d).

        `extra`: float64 (m,), their weights beyond those in `unseen`.
        """
        shared = self.unseen.T  # symmetric, and as LAPACK stores a matrix
        normal = shared
        for sign, part in ((1.0, extra > 0), (-1.0, extra < 0)):
            if part.any():
                rows, root = (known, extra) if part.all() else (known[part], extra[part])
                normal = blas.dsyrk(sign, rows.T * np.sqrt(np.abs(root)), beta=1.0, c=normal, lower=True)
        solution: Doubles
        _, solution, failed = lapack.dposv(normal, right, lower=True, overwrite_a=normal is not shared)
        if failed or not np.isfinite(solution).all():
            raise _no_solution()
        return solution


def gram_matrix(items: Floats, *, counted: Bools | None = None, block_rows: int = 65_536) -> Doubles:
    """Float64 (d, d): Y'Y of `items` float32 (n_items, d), summed in double precision, `block_rows` at a time.

    `counted`: bool (n_items,), the items in the sum; by default all.
    """
    gram = np.zeros((items.shape[1], items.shape[1]))
    for start in range(0, len(items), block_rows):
        block = items[start : start + block_rows].astype(np.float64)
        if counted is not None:
            block[~counted[start : start + block_rows]] = 0
        gram += block.T @ block
    return gram


def _regularization(objective: AlsObjective, n_entries: int, n_items: int) -> float:
    """Of a row with `n_entries`, in units of the weight of what was not observed."""
    own = objective.row_regularization(np.array([n_entries], np.int32), n_items)
    return float(own[0]) / objective.unobserved_weight


def _eigen(gram: Doubles) -> tuple[Doubles, Doubles]:
    """Eigenvalues and eigenvectors of `gram`; NaN if it is not finite, which has no solution."""
    spectrum, basis = np.full(len(gram), np.nan), np.zeros_like(gram)
    with suppress(np.linalg.LinAlgError):
        spectrum[:], basis[:] = np.linalg.eigh(gram)
    return spectrum, basis


def _small_system(known: Doubles, scaled: Doubles, extra: Doubles) -> Doubles:
    """I + D K, float64 (..., m, m), of `known` and `scaled` (..., m, d) and D = diag(`extra`), (..., m)."""
    system: Doubles = extra[..., None] * (scaled @ known.swapaxes(-1, -2))
    diagonal = np.arange(system.shape[-1])
    system[..., diagonal, diagonal] += 1
    return system


def _solved(system: Doubles, right: Doubles) -> Doubles:
    try:
        solution: Doubles = np.asarray(np.linalg.solve(system, right), np.float64)
    except np.linalg.LinAlgError as error:
        raise _no_solution() from error
    if not np.isfinite(solution).all():
        raise _no_solution()
    return solution


def _no_solution() -> ModelError:
    return ModelError("fold-in: a row has no unique solution; regularization must be above zero")


def _blocks(confidence: Csr) -> list[slice]:
    """Consecutive rows with about _ENTRIES_PER_BLOCK entries together."""
    n = confidence.shape[0]
    if n > 0 and confidence.nnz <= _ENTRIES_PER_BLOCK:
        return [slice(0, n)]
    targets = np.arange(_ENTRIES_PER_BLOCK, confidence.nnz, _ENTRIES_PER_BLOCK)
    ends = np.unique([*np.searchsorted(confidence.indptr, targets).tolist(), n])
    return [
        slice(start, end) for start, end in zip([0, *ends[:-1].tolist()], ends.tolist(), strict=True) if end > start
    ]
