"""Weighing: the confidences of a matrix in blocks, both sides, from counts and sums of the blocks."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.data.arrays import Floats
from recsys.data.confidence import ConfidenceConfig, ConfidenceWeighting, degree_normalised, unscaled_confidence
from recsys.errors import DataError
from recsys.spark.block_work import CompactBlock, Others
from recsys.spark.row_blocks import SPARK_SCHEMA, RowBlock
from recsys.spark.sides import Facts, Side, weights_frame
from recsys.spark.stored_vectors import vectors_batch

_SUMS = "block int, weights double, values double"
_LARGEST = "block int, largest float"


@dataclass(frozen=True, eq=False)
class Weighed:
    """`users`, `items`: the sides with confidences in place of counts."""

    weighting: ConfidenceWeighting
    users: Side
    items: Side

    def largest(self) -> float:
        """The largest confidence."""
        return float(np.max(self.users.collect(_largest, _LARGEST).column("largest").to_numpy()))


def weigh(users: Side, items: Side, facts: Facts, config: ConfidenceConfig, *, scratch: Path) -> Weighed:
    """Fit the weighting as `fit_confidence` does, and write the confidences into `scratch`.

    `facts`: of the items. Raises DataError if there are no entries.
    """
    if users.blocks.shape.entries == 0:
        raise DataError("weighting: the training matrix holds no entries")
    return weighed_by(fit_on_blocks(users, facts.lengths.astype(np.float32), config), users, items, scratch=scratch)


def weighed_by(weighting: ConfidenceWeighting, users: Side, items: Side, *, scratch: Path) -> Weighed:
    """Write the confidences of a fitted weighting into `scratch`."""
    apply = _Apply(weighting)
    weighed_users = users.write_weights(weights_frame(users, apply), scratch / "users")
    terms = users.write_alone(_RowTerms(weighting), scratch / "terms", 1)
    transposed = items.frame(_ApplyTransposed(weighting), Others(terms), SPARK_SCHEMA)
    return Weighed(weighting, weighed_users, items.write_weights(transposed, scratch / "items"))


def fit_on_blocks(users: Side, degree: Floats, config: ConfidenceConfig) -> ConfidenceWeighting:
    """The weighting. `degree`: float32 (n_items,), distinct users of each item."""
    n_users, entries = users.blocks.shape.n_rows, users.blocks.shape.entries
    first = unscaled_confidence(config, degree, n_users=n_users, mean_length=1.0)
    sums = users.collect(_Sums(first), _SUMS)
    mean_length = float(np.sum(sums.column("weights").to_numpy())) / n_users
    weighting = unscaled_confidence(config, degree, n_users=n_users, mean_length=mean_length)
    if config.weighting == "degree":
        return weighting.scaled_to(float(np.sum(sums.column("values").to_numpy())) / entries)
    return weighting


@dataclass(frozen=True, eq=False)
class _Sums:
    """The sums of a block that a weighting is fitted from."""

    weighting: ConfidenceWeighting

    def __call__(self, block: RowBlock) -> pa.RecordBatch:
        values = degree_normalised(block.rows, self.weighting) if self.weighting.settings.kind == "degree" else None
        row = {
            "block": block.number,
            "weights": float(block.rows.data.sum(dtype=np.float64)),
            "values": 0.0 if values is None else float(values.sum(dtype=np.float64)),
        }
        kinds = (pa.int32(), pa.float64(), pa.float64())
        return pa.RecordBatch.from_pylist([row], pa.schema(list(zip(row, kinds, strict=True))))


@dataclass(frozen=True, eq=False)
class _Apply:
    """The confidences of a block of users."""

    weighting: ConfidenceWeighting

    def __call__(self, block: RowBlock) -> pa.RecordBatch:
        return RowBlock(block.number, block.first, self.weighting.apply(block.rows)).to_batch()


@dataclass(frozen=True, eq=False)
class _RowTerms:
    """What confidences take from their user, as vectors of one number."""

    weighting: ConfidenceWeighting

    def __call__(self, block: RowBlock) -> pa.RecordBatch:
        return vectors_batch(block.number, block.first, self.weighting.row_terms(block.rows)[:, None])


@dataclass(frozen=True, eq=False)
class _ApplyTransposed:
    """The confidences of a block of items, from the terms of their users."""

    weighting: ConfidenceWeighting

    def __call__(self, block: RowBlock, terms: Floats) -> pa.RecordBatch:
        items = slice(block.first, block.first + block.rows.shape[0])
        weighed = self.weighting.apply_transposed(block.rows, terms[:, 0], items)
        whole = block.over_all(weighed) if isinstance(block, CompactBlock) else weighed
        return RowBlock(block.number, block.first, whole).to_batch()


def _largest(block: RowBlock) -> pa.RecordBatch:
    largest = np.array([block.rows.data.max(initial=0)], np.float32)
    return pa.record_batch([pa.array([block.number], pa.int32()), pa.array(largest)], ["block", "largest"])
