"""The training loss of a fit on blocks, from sums of the blocks."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from recsys.data.arrays import Doubles, Floats
from recsys.models.factors.als_solver.loss import observed_loss, squares_of
from recsys.models.factors.objective import AlsObjective
from recsys.spark.block_work import Others
from recsys.spark.checkpoints import Turned
from recsys.spark.row_blocks import RowBlock, reading_cells
from recsys.spark.sides import Side
from recsys.spark.stored_vectors import StoredVectors

_SUMS = "block int, observed double, pulled double, confidence double"


def training_loss_on_blocks(
    user_side: Side, item_side: Side, users: Turned, items: Turned, objective: AlsObjective
) -> float:
    """The value of `als_solver.loss.training_loss`. The sides hold confidences; the vectors are in one basis."""
    unobserved, shape = objective.unobserved_weight, user_side.blocks.shape
    observed, of_users, confidence = _sums(user_side, users, items, objective)
    _, of_items, _ = _sums(item_side, items, None, objective)
    total = unobserved * float((_gram(users) * _gram(items)).sum()) + observed + of_users + of_items
    unstored = shape.n_rows * shape.n_columns - shape.entries
    return total / (confidence + unobserved * unstored)


def _sums(side: Side, own: Turned, others: Turned | None, objective: AlsObjective) -> tuple[float, float, float]:
    turn = own.turn.astype(np.float32)
    if others is None:
        table = side.collect(_Sums(own.vectors, turn, objective, side.blocks.shape.n_columns), _SUMS)
    else:
        work = _Sums(own.vectors, turn, objective, side.blocks.shape.n_columns)
        of_others = Others(others.vectors, others.turn.astype(np.float32))
        with reading_cells(side.spark):
            table = side.frame(work, of_others, _SUMS).toArrow().sort_by("block")
    observed, pulled, confidence = (float(table.column(at).to_numpy().sum()) for at in (1, 2, 3))
    return observed, pulled, confidence


def _gram(turned: Turned) -> Doubles:
    gram: Doubles = turned.turn.T @ turned.vectors.gram() @ turned.turn
    return gram


@dataclass(frozen=True, eq=False)
class _Sums:
    """What a block adds: errors of its entries, if its columns have vectors; the pull of its rows; confidences."""

    own: StoredVectors
    turn: Floats
    objective: AlsObjective
    n_columns: int

    def __call__(self, block: RowBlock, others: Floats | None = None) -> pa.RecordBatch:
        rows = self.own.of_block(block.number) @ self.turn
        pull = self.objective.row_regularization(np.diff(block.rows.indptr), self.n_columns)
        weight = self.objective.unobserved_weight
        sums = {
            "block": block.number,
            "observed": 0.0 if others is None else observed_loss(block.rows, weight, rows, others),
            "pulled": float(pull @ squares_of(rows)),
            "confidence": float(block.rows.data.sum(dtype=np.float64)),
        }
        kinds = (pa.int32(), *[pa.float64()] * 3)
        return pa.RecordBatch.from_pylist([sums], pa.schema(list(zip(sums, kinds, strict=True))))
