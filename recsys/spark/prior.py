"""Rare items on Spark: exact vectors that are pulled to those of their content; then all users, in blocks."""

import shutil
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from recsys.config import ComputeConfig
from recsys.data.arrays import Floats, Indices, read_only
from recsys.models.factors.als_model import AlsModel
from recsys.models.factors.embeddings import Embeddings
from recsys.models.factors.item_solve import AllUsers, solve_items
from recsys.models.factors.objective import AlsObjective
from recsys.spark.als import solve_users
from recsys.spark.block_work import Others
from recsys.spark.cells import cells_in
from recsys.spark.row_blocks import RowBlock, StoredBlocks, reading_cells, vectors_in
from recsys.spark.sides import Side, facts_of
from recsys.spark.stored_vectors import SPARK_SCHEMA, VECTORS, StoredVectors, vectors_batch, write_whole
from recsys.spark.weighing import weighed_by

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_RARE, _MEAN = "rare.npy", "mean.npy"


@dataclass(frozen=True, eq=False)
class FittedBlocks:
    """What a model was fitted on: `users`, `items`, the counts and their transpose; and `scratch`, a folder."""

    spark: "SparkSession"
    users: StoredBlocks
    items: StoredBlocks
    compute: ComputeConfig
    scratch: Path

    def with_prior(
        self, model: AlsModel, users: StoredVectors, rare: Indices, mean: Floats, *, strength: float
    ) -> tuple[AlsModel, StoredVectors]:
        """The model of `recsys.content.cold_start.prior.with_prior`, without users; and these, in `scratch`.

        `users`: those of the model, with their Gram matrices, outside of `scratch`, which is emptied first. The
        driver holds items alone.
        """
        shutil.rmtree(self.scratch, ignore_errors=True)  # of a killed run
        self.scratch.mkdir(parents=True)
        of_users, of_items = (
            Side(self.spark, blocks, self.scratch / f"routes-{name}", self.compute.broadcast_mib)
            for name, blocks in (("users", self.users), ("items", self.items))
        )
        weighed = weighed_by(model.weighting, of_users, of_items, scratch=self.scratch / "confidence")
        every = AllUsers(users.gram(), users.n_rows)
        items = model.embeddings.items.copy()
        for name, array in ((_RARE, rare), (_MEAN, mean)):
            np.save(self.scratch / name, array, allow_pickle=False)
        items[rare] = _pulled(weighed.items, users, _Pull(self.scratch, model.objective, strength, every))
        nobody = np.zeros((0, items.shape[1]), np.float32)
        filled = replace(model, embeddings=Embeddings(nobody, read_only(items), model.embeddings.item_scale))
        stored = Others(write_whole(items, facts_of(of_items, of_rows=False).bounds, self.scratch / "items"))
        # an item that nobody has is in no user's row, so which items count is settled in the sums
        equations = replace(filled.equations, counted=None)
        return filled, solve_users(weighed.users, equations, stored, self.scratch / "users")


def _pulled(side: Side, users: StoredVectors, pull: "_Pull") -> Floats:
    """float32 (n, d): the vectors of the rare items."""
    with reading_cells(side.spark):
        table = side.frame(pull, Others(users), SPARK_SCHEMA).toArrow().sort_by("block")
    parts = [vectors_in(cell, users.factors) for cell in cells_in(table.column(VECTORS))]
    return np.concatenate(parts) if parts else np.zeros((0, users.factors), np.float32)


@dataclass(frozen=True, eq=False)
class _Pull:
    """The rare items of a block. `folder`: has their positions, int32 (n,), ascending, and means, float32 (n, d)."""

    folder: Path
    objective: AlsObjective
    strength: float
    every: AllUsers

    def __call__(self, block: RowBlock, users: Floats) -> pa.RecordBatch:
        rare, mean = (np.load(self.folder / name, mmap_mode="r", allow_pickle=False) for name in (_RARE, _MEAN))
        start, stop = np.searchsorted(rare, [block.first, block.first + block.rows.shape[0]])
        rows = block.rows[rare[start:stop] - block.first]
        rows.sort_indices()
        solved = solve_items(rows, users, mean[start:stop], self.objective, strength=self.strength, every=self.every)
        return vectors_batch(block.number, block.first, solved)
