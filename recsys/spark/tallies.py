"""Tallies: counts that many tasks make, summed by Spark before the driver gets them.

A tally is of a kind, and of keys within it (an item, an hour, a chunk), so that what reaches the driver is as large
as the number of keys, whatever the number of tasks.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.spark.failures import carried, named_failures
from recsys.spark.worker import in_worker

if TYPE_CHECKING:
    from pyspark.sql import DataFrame, SparkSession

Counts = NDArray[np.int64]

_NAMES = ("n", "m", "low", "high")
_SCHEMA = "kind string, key long, n long, m long, low long, high long"
_COLUMNS = pa.schema([("kind", pa.string()), ("key", pa.int64()), *((name, pa.int64()) for name in _NAMES)])


@dataclass(frozen=True, eq=False)
class Tally:
    """Of each key, int64 (k,): `n` and `m`, which are summed, and `low` and `high`, of which the ends are kept."""

    key: Counts
    n: Counts
    m: Counts
    low: Counts
    high: Counts

    def dense(self, size: int, column: str = "n") -> Counts:
        """int64 (size,): the column by key, 0 if there is none."""
        found = np.zeros(size, np.int64)
        found[self.key] = getattr(self, column)
        return found


_NOTHING = Tally(*(np.zeros(0, np.int64) for _ in range(5)))


@dataclass(frozen=True)
class Tallies:
    """Tallies by kind, their keys ascending."""

    by_kind: Mapping[str, Tally]

    def __getitem__(self, kind: str) -> Tally:
        return self.by_kind.get(kind, _NOTHING)

    def total(self, kind: str, column: str = "n") -> int:
        """The sum over all keys."""
        return int(getattr(self[kind], column).sum())


def tally(kind: str, key: Any, n: Any, m: Any = 0, *, low: Any = 0, high: Any = 0) -> pa.RecordBatch:
    """Counts of a task: arrays of one length, or numbers that hold for every key."""
    keys = np.atleast_1d(np.asarray(key, np.int64))
    columns = [np.broadcast_to(np.asarray(each, np.int64), keys.shape) for each in (n, m, low, high)]
    return pa.record_batch([pa.repeat(kind, len(keys)), keys, *map(np.ascontiguousarray, columns)], schema=_COLUMNS)


def tally_tasks(
    spark: "SparkSession", n: int, work: Callable[[int], Iterable[pa.RecordBatch]], *, doing: str
) -> Tallies:
    """What `work` tallies for each number below `n`, each in a task of its own. BLAS has one thread in a task.

    `work` is pickled. A task may run twice, so it is deterministic, and files that it writes appear whole.
    `doing`: for messages. Raises the RecsysError of a task, ComputeError if Spark fails.
    """
    if n == 0:
        return Tallies({})
    return summed(spark.range(0, n, 1, n).mapInArrow(partial(_numbered, work), _SCHEMA), doing=doing)


def tally_rows(
    rows: "DataFrame", work: Callable[[Iterator[pa.RecordBatch]], Iterable[pa.RecordBatch]], *, doing: str
) -> Tallies:
    """What `work` tallies of the rows of each partition. As `tally_tasks`."""
    return summed(rows.mapInArrow(partial(_of_rows, work), _SCHEMA), doing=doing)


def summed(counts: "DataFrame", *, doing: str) -> Tallies:
    """Counts of these columns, summed by kind and key."""
    from pyspark.sql import functions as F  # noqa: N812

    sums = [F.sum("n").alias("n"), F.sum("m").alias("m"), F.min("low").alias("low"), F.max("high").alias("high")]
    with named_failures(doing):
        table = counts.groupBy("kind", "key").agg(*sums).toArrow()
    table = table.sort_by([("kind", "ascending"), ("key", "ascending")])
    kinds = table.column("kind").unique().to_pylist()
    return Tallies({kind: _of_kind(table.filter(pc.equal(table.column("kind"), kind))) for kind in kinds})


def _of_kind(table: pa.Table) -> Tally:
    return Tally(*(table.column(name).to_numpy() for name in ("key", *_NAMES)))


@carried
def _numbered(work: Callable[[int], Iterable[pa.RecordBatch]], batches: Iterator[pa.RecordBatch]) -> Iterator[Any]:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            with in_worker():
                yield from work(number)


@carried
def _of_rows(
    work: Callable[[Iterator[pa.RecordBatch]], Iterable[pa.RecordBatch]], batches: Iterator[pa.RecordBatch]
) -> Iterator[Any]:
    with in_worker():
        yield from work(batches)
