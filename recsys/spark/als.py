"""ALS on Spark: the half-steps of the local solver on blocks of rows; the same fit up to the order of sums.

A half-step is one job. Its tasks read blocks of the matrix, their vectors so far and the vectors of the other side,
and write the improved vectors with their Gram matrices; the driver sums these, turns them into a basis in which they
are diagonal, and holds no vectors. Every job reads files and writes files, so that a lost task is done again alone.
"""

import json
import logging
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from hashlib import blake2b
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from recsys.config import ComputeConfig
from recsys.data.arrays import Doubles, Floats, read_only
from recsys.data.confidence import ConfidenceWeighting
from recsys.errors import ModelError
from recsys.models.factors.als import AlsConfig
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.als_solver.rotation import eigenbasis
from recsys.models.factors.embeddings import Embeddings, popularity_scale
from recsys.models.factors.fold_in import UserEquations
from recsys.models.factors.objective import AlsObjective
from recsys.progress import Progress, silent
from recsys.spark.block_work import Others
from recsys.spark.checkpoints import Checkpoints, State, Turned
from recsys.spark.failures import named_failures
from recsys.spark.losses import training_loss_on_blocks
from recsys.spark.row_blocks import RowBlock, StoredBlocks
from recsys.spark.sides import Facts, Side, facts_of
from recsys.spark.spectral import Start, random_start, spectral_start_on_blocks
from recsys.spark.stored_vectors import StoredVectors, with_gram
from recsys.spark.weighing import Weighed, weigh

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

logger = logging.getLogger(__name__)

_STATES = "fit"

MakeStart = Callable[[Facts, Facts, Path], Start]
"""Writes what a fit starts from into a folder, in the blocks of the users and of the items."""


@dataclass(frozen=True, eq=False)
class SparkFit:
    """What a fit learned: `items`, float32 (n_items, d), on the driver; `users` in blocks on the disk, or None."""

    items: Floats
    users: StoredVectors | None
    weighting: ConfidenceWeighting
    config: AlsConfig
    losses: tuple[float, ...] = ()

    def model(self, users: Floats | None = None) -> AlsModel:
        """The model with these `users`, float32 (n_users, d), which may be mapped; by default it has none."""
        users = np.zeros((0, self.items.shape[1]), np.float32) if users is None else users
        scale = popularity_scale(self.weighting.item_degree, self.config.popularity_exponent)
        objective = asdict(self.config.objective)
        return AlsModel(Embeddings(users, self.items, scale), self.weighting, losses=self.losses, **objective)


def train_als(
    spark: "SparkSession",
    users: StoredBlocks,
    items: StoredBlocks,
    config: AlsConfig,
    *,
    scratch: Path,
    compute: ComputeConfig,
    start: MakeStart | None = None,
    with_users: bool = True,
    progress: Progress = silent,
) -> SparkFit:
    """Fit as `recsys.models.factors.als_model.train_als` does with `solver = "compiled"`, on blocks.

    `users`, `items`: the counts (n_users, n_items), and their transpose. `scratch`: a folder that the driver and all
    executors see. A fit of the same matrix and settings that was cut short there goes on after its last iteration;
    at the end only the users' vectors are left in it. `start`: what it starts from instead of the start that
    `config` names. `with_users`: solve the users exactly, for the items that the fit ends with; else they have no
    vectors.
    Raises DataError if there are no entries, ModelError if the fit fails.
    """
    started = time.perf_counter()
    scratch.mkdir(parents=True, exist_ok=True)
    with Checkpoints.damaged_go(scratch / _STATES), named_failures("while ALS was fitted"):
        fit = _Fit.begin(spark, users, items, config, scratch=scratch, compute=compute, progress=progress)
        try:
            learned = fit.ended(fit.iterated(start), with_users=with_users)
        except FloatingPointError as error:
            raise fit.not_finite() from error
    fit.remove_work()
    size = (users.shape.n_rows, items.shape.n_rows, users.shape.entries, config.factors)
    logger.info("als users=%d items=%d entries=%d factors=%d seconds=%.2f", *size, time.perf_counter() - started)
    return learned


@dataclass(frozen=True, eq=False)
class _Fit:
    """One fit: its sides, as counts and as confidences, and where it writes."""

    users: Side
    items: Side
    facts: tuple[Facts, Facts]
    weighed: Weighed
    config: AlsConfig
    scratch: Path
    progress: Progress

    @staticmethod
    def begin(
        spark: "SparkSession",
        users: StoredBlocks,
        items: StoredBlocks,
        config: AlsConfig,
        *,
        scratch: Path,
        compute: ComputeConfig,
        progress: Progress,
    ) -> "_Fit":
        of_users, of_items = (
            Side(spark, blocks, scratch / f"routes-{name}", compute.broadcast_mib)
            for name, blocks in (("users", users), ("items", items))
        )
        facts = facts_of(of_users, of_rows=False), facts_of(of_items, of_rows=True)
        weighed = weigh(of_users, of_items, facts[1], config, scratch=scratch / "confidence")
        return _Fit(of_users, of_items, facts, weighed, config, scratch, progress)

    def checkpoints(self, *, given: bool) -> Checkpoints:
        """Of this matrix and these settings, whatever the number of iterations.

        `given`: whether the fit has a start of its own, of which another run knows nothing.
        """
        left_out = self.config.not_learned | {"solver"}
        learned = self.config.model_dump(mode="json", exclude=set(left_out))
        text = json.dumps([learned, given, *(each.digest for each in self.facts)], sort_keys=True)
        return Checkpoints(self.scratch / _STATES, blake2b(text.encode(), digest_size=16).hexdigest())

    def iterated(self, start: MakeStart | None) -> State:
        """The state after the iterations; it goes on where an earlier run was cut short."""
        checkpoints = self.checkpoints(given=start is not None)
        state = checkpoints.last(self.config.iterations) if start is None else None
        state = self._started(start, checkpoints) if state is None else state
        while state.iteration < self.config.iterations:
            before = time.perf_counter()
            state = self._after_iteration(state, checkpoints)
            seconds, done = time.perf_counter() - before, state.iteration
            logger.info("als iteration=%d seconds=%.2f loss=%s", done, seconds, state.losses[-1:] or None)
            self.progress("als", done, self.config.iterations)
        return state

    def ended(self, state: State, *, with_users: bool) -> SparkFit:
        """The items in the basis of the start, and the users solved exactly for them."""
        items = state.items.vectors.turned(state.items.turn @ state.basis.T)
        if not np.isfinite(items).all():
            raise FloatingPointError("item vectors are not finite")
        fit = SparkFit(read_only(items), None, self.weighed.weighting, self.config, state.losses)
        return replace(fit, users=self._solved_users(state, items)) if with_users else fit

    def not_finite(self) -> ModelError:
        """What a fit ends with whose vectors are not finite."""
        return ModelError(
            f"als: the vectors are not finite within {self.config.iterations} iterations; likely cause:"
            f" regularization {self.config.regularization:g} is too small for confidences up to"
            f" {self.weighed.largest():g}"
        )

    def remove_work(self) -> None:
        """Remove everything but the users' vectors."""
        for path in self.scratch.iterdir():
            if path.name != "users":
                shutil.rmtree(path, ignore_errors=True)

    def _started(self, start: MakeStart | None, checkpoints: Checkpoints) -> State:
        folder = checkpoints.of(0)
        checkpoints.clear()
        if start is not None:
            first = start(*self.facts, folder)
        elif self.config.start == "random":
            first = random_start(self.facts, self.config.factors, seed=self.config.seed, folder=folder)
        else:
            first = spectral_start_on_blocks(
                self.users,
                self.items,
                self.facts,
                self.config.factors,
                seed=self.config.seed,
                folder=folder,
                progress=self.progress,
            )
        same = np.eye(self.config.factors)
        state = State(0, Turned(first.users, same), Turned(first.items, same), same)
        checkpoints.save(state)
        return state

    def _after_iteration(self, state: State, checkpoints: Checkpoints) -> State:
        """Users from items, then items from users; each side is turned into the basis of the other's Gram matrix."""
        done = state.iteration + 1
        folder, objective = checkpoints.of(done), self.config.objective
        shutil.rmtree(folder, ignore_errors=True)
        users, items, turn = half_step(self.weighed.users, state.users, state.items, objective, folder / "users")
        basis = state.basis @ turn
        items, users, turn = half_step(self.weighed.items, items, users, objective, folder / "items")
        losses = state.losses
        if self.config.log_loss:
            losses += (training_loss_on_blocks(self.weighed.users, self.weighed.items, users, items, objective),)
        after = State(done, users, items, basis @ turn, losses)
        checkpoints.save(after)
        return after

    def _solved_users(self, state: State, items: Floats) -> StoredVectors:
        equations = UserEquations.of(items, self.config.objective)
        turn = (state.items.turn @ state.basis.T).astype(np.float32)
        return solve_users(self.weighed.users, equations, Others(state.items.vectors, turn), self.scratch / "users")


def half_step(
    side: Side, own: Turned, others: Turned, objective: AlsObjective, folder: Path
) -> tuple[Turned, Turned, Doubles]:
    """The rows of `side` improved, and written into `folder`; `others` in the same basis; and the turn into it.

    Raises FloatingPointError if the vectors of the others are not finite.
    """
    with np.errstate(all="ignore"):  # what is not finite is found below
        gram = others.turn.T @ others.vectors.gram() @ others.turn
    eigenvalues, turn = eigenbasis(gram)
    turned = Turned(others.vectors, others.turn @ turn)
    work = _Improve(
        own.vectors,
        (own.turn @ turn).astype(np.float32),
        (objective.unobserved_weight * eigenvalues).astype(np.float32),
        objective,
        side.blocks.shape.n_columns,
    )
    factors = len(eigenvalues)
    written = side.write(work, Others(turned.vectors, turned.turn.astype(np.float32)), folder, factors)
    return Turned(written, np.eye(factors)), turned, turn


@dataclass(frozen=True, eq=False)
class _Improve:
    """The half-step of one block. `own`: the vectors of its side so far, to be turned by `turn`."""

    own: StoredVectors
    turn: Floats
    diagonal: Floats
    objective: AlsObjective
    n_columns: int

    def __call__(self, block: RowBlock, others: Floats) -> pa.RecordBatch:
        from recsys.models.factors.als_solver.blocks import entries_of
        from recsys.models.factors.als_solver.half_step import HalfStep

        lengths = np.diff(block.rows.indptr)
        regularization = self.objective.row_regularization(lengths, self.n_columns).astype(np.float32)
        step = HalfStep(others, self.diagonal, self.turn, self.objective.unobserved_weight)
        improved = step.improved(entries_of(block.rows), self.own.of_block(block.number), regularization)
        return with_gram(block.number, block.first, improved)


def solve_users(side: Side, equations: UserEquations, items: Others, folder: Path) -> StoredVectors:
    """Write the exact vectors of all users into `folder`, with their Gram matrices. `items`: those of `equations`."""
    shared = replace(equations, items=equations.items[:0], n_items=len(equations.items))
    return side.write(_SolveExactly(shared), items, folder, items.width)


@dataclass(frozen=True, eq=False)
class _SolveExactly:
    """The exact vectors of a block of users, as a fit ends. `equations`: without items."""

    equations: UserEquations

    def __call__(self, block: RowBlock, others: Floats) -> pa.RecordBatch:
        solved = self.equations.over(others).solve(block.rows, threads=1)
        return with_gram(block.number, block.first, solved)
