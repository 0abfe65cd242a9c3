"""The iterations: users from items, then items from users, each in the basis of the other's Gram matrix."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from threading import Lock

import numpy as np
from threadpoolctl import threadpool_limits

from recsys.data.arrays import Doubles, Floats, Indices, read_only
from recsys.data.matrix import Csr, entries_per_column
from recsys.map_ordered import map_ordered
from recsys.models.factors.als_solver.blocks import Block, column_blocks, row_blocks
from recsys.models.factors.als_solver.half_step import HalfStep
from recsys.models.factors.als_solver.prior import ItemPrior
from recsys.models.factors.als_solver.rotation import gram_eigenbasis, rotate
from recsys.models.factors.objective import AlsObjective

Vectors = tuple[Floats, Floats]
"""Users float32 (n_users, d) and items float32 (n_items, d)."""

OnIteration = Callable[[int, Callable[[], Vectors]], None]
"""Called with the number of iterations done, and a function that copies the vectors so far."""


def minimise(
    confidence: Csr,
    objective: AlsObjective,
    vectors: Vectors,
    *,
    iterations: int,
    prior: ItemPrior | None = None,
    threads: int = 0,
    on_iteration: OnIteration | None = None,
) -> None:
    """Improve `vectors` in place by `iterations`; one solves all users, then all items.

    `confidence`: canonical float32 (n_users, n_items). `threads`: 0 means all cores; the result is the same to the
    bit for any number. A user without entries gets the zero vector, an item without entries its prior mean, or zero.
    An exception of `on_iteration` ends the fit and propagates.
    Raises FloatingPointError if the vectors are not finite.
    """
    threads = threads or os.cpu_count() or 1
    sides = _sides(confidence, objective, vectors, prior)
    with threadpool_limits(1, "blas"):
        basis = np.eye(vectors[0].shape[1])
        for done in range(1, iterations + 1):
            for side in sides:
                basis = _improve(side, objective.unobserved_weight, basis, threads=threads)
            if on_iteration is not None:
                on_iteration(done, partial(_copied_back, sides, basis, threads))
        _turn_back(sides, basis, threads)


@dataclass(frozen=True, eq=False)
class _Side:
    """The rows that are solved, and what their equations are made of.

    `rows`: float32 (n, d), improved in place. `others`: float32 (m, d). `n_entries`: int32 (n,). `regularization`:
    float32 (n,). `mean`: float32 (n, d) of the prior, or None.
    """

    blocks: Callable[[], Iterator[Block]]
    rows: Floats
    others: Floats
    n_entries: Indices
    regularization: Floats
    mean: Floats | None = None

    def mean_of(self, rows: slice, basis: Floats) -> Floats | None:
        """Float32 (n, d), in the basis of the solve; None without a prior."""
        return None if self.mean is None else self.mean[rows] @ basis


def _sides(
    confidence: Csr, objective: AlsObjective, vectors: Vectors, prior: ItemPrior | None
) -> tuple[_Side, _Side]:
    users, items = vectors
    per_user, per_item = np.diff(confidence.indptr), entries_per_column(confidence)
    of_users = objective.row_regularization(per_user, len(items)).astype(np.float32)
    of_items = objective.row_regularization(per_item, len(users)).astype(np.float32)
    if prior is not None:
        of_items *= prior.strength
    mean = None if prior is None else prior.mean
    return (
        _Side(lambda: row_blocks(confidence), users, items, per_user, of_users),
        _Side(lambda: column_blocks(confidence), items, users, per_item, of_items, mean),
    )


def _improve(side: _Side, unobserved: float, basis: Doubles, threads: int) -> Doubles:
    """Improve the rows of `side`. Both sides are turned into another basis: returns `basis` times that turn."""
    eigenvalues, turn = gram_eigenbasis(side.others, threads=threads)
    rotate(side.others, turn, threads=threads)
    diagonal, turned_basis = (unobserved * eigenvalues).astype(np.float32), basis @ turn
    step = HalfStep(read_only(side.others), diagonal, turn.astype(np.float32), unobserved)
    blocks, asking = side.blocks(), Lock()

    def solve_blocks(_: int) -> None:
        while True:
            with asking:  # a generator is advanced by one thread at a time
                block = next(blocks, None)
            if block is None:
                return
            mean = side.mean_of(block.rows, turned_basis.astype(np.float32))
            rows, regularization = side.rows[block.rows], side.regularization[block.rows]
            side.rows[block.rows] = step.improved(block.entries, rows, regularization, mean)

    for _ in map_ordered(solve_blocks, range(threads), threads=threads):
        pass
    return turned_basis


def _turn_back(sides: tuple[_Side, _Side], basis: Doubles, threads: int) -> None:
    """Turn the vectors, in place, into the basis that the fit started from; rows without entries are their mean."""
    for side in sides:
        rotate(side.rows, basis.T, threads=threads)
        if side.mean is not None:
            empty = side.n_entries == 0
            side.rows[empty] = side.mean[empty]


def _copied_back(sides: tuple[_Side, _Side], basis: Doubles, threads: int) -> Vectors:
    users, items = (replace(side, rows=side.rows.copy()) for side in sides)
    _turn_back((users, items), basis, threads)
    return users.rows, items.rows
