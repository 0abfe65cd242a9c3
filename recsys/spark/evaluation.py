"""Evaluation on Spark: the lists of the evaluated users, ranked and measured in blocks by the local evaluator."""

import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from recsys.data.matrix import Csr, load_csr, save_csr
from recsys.evaluation.evaluator import MeasuredUsers, evaluation_of, measure_users
from recsys.evaluation.measures import Measures
from recsys.evaluation.results import Evaluation
from recsys.models.recommender import Queries, Recommender
from recsys.progress import Progress, silent
from recsys.spark.chunk_holdout import EvaluatedRows
from recsys.spark.tasks import in_tasks

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

SCORES_PER_BATCH = 16_000_000
"""Of a task: 64 MB of float32. Every core of an executor has one."""

_DOING = "while lists were made and measured"
_LEAST_ROWS, _BLOCKS_PER_CORE = 256, 2


@dataclass(frozen=True)
class StoredRows:
    """The evaluated users in a folder that every executor sees; a task maps its rows."""

    folder: Path
    shape: tuple[int, int]
    has_seen: bool

    @staticmethod
    def write(rows: EvaluatedRows, folder: Path) -> "StoredRows":
        """Write them into `folder`, which is made."""
        folder.mkdir(parents=True)
        for name, csr in {"history": rows.history, "holdout": rows.holdout, "seen": rows.seen}.items():
            if csr is not None:
                save_csr(csr, folder / name)
        return StoredRows(folder, rows.history.shape, rows.seen is not None)

    def rows(self, start: int, stop: int) -> tuple[Queries, Csr]:
        """What is asked for some users, without trained vectors, and what is relevant."""
        history, holdout = self._part("history", start, stop), self._part("holdout", start, stop)
        seen = self._part("seen", start, stop) if self.has_seen else None
        return Queries(history, None, seen), holdout

    def _part(self, name: str, start: int, stop: int) -> Csr:
        part: Csr = load_csr(self.folder / name, self.shape)[start:stop]
        return part


def evaluate_in_blocks(
    spark: "SparkSession",
    recommender: Recommender,
    rows: StoredRows,
    measures: Measures,
    *,
    progress: Progress = silent,
) -> Evaluation:
    """What `recsys.evaluation.evaluator.evaluate` gives for the same users, whose histories are folded in.

    The recommender and what is measured with go to every executor once. Raises ModelError as `evaluate` does.
    """
    started, n = time.perf_counter(), rows.shape[0]
    bounds = block_bounds(n, cores=spark.sparkContext.defaultParallelism)
    sent = spark.sparkContext.broadcast((recommender, measures))
    try:
        parts = in_tasks(spark, len(bounds) - 1, partial(_measure, sent, rows, bounds), doing=_DOING)
    finally:
        sent.destroy()
    progress(f"evaluate {recommender.name}", n, n)
    return evaluation_of(recommender.name, parts, measures, seconds=time.perf_counter() - started)


def block_bounds(n: int, *, cores: int) -> tuple[int, ...]:
    """(n_blocks + 1,): where the blocks of `n` users start, two per core if each has 256 users or more."""
    blocks = max(1, min(_BLOCKS_PER_CORE * cores, n // _LEAST_ROWS))
    return tuple(np.linspace(0, n, blocks + 1).astype(int).tolist())


def _measure(sent: Any, rows: StoredRows, bounds: tuple[int, ...], number: int) -> Iterable[MeasuredUsers]:
    recommender, measures = sent.value
    queries, relevant = rows.rows(*bounds[number : number + 2])
    yield measure_users(recommender, queries, relevant, measures, scores_per_batch=SCORES_PER_BATCH)
