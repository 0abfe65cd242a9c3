"""Tasks: work that is numbered, each number in a task of its own; its results, and its errors, on the driver."""

import pickle
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from recsys.errors import RecsysError
from recsys.spark.cells import cells_in
from recsys.spark.failures import named_failures
from recsys.spark.worker import in_worker

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_SCHEMA = "number long, part long, result binary"
_COLUMNS = pa.schema([("number", pa.int64()), ("part", pa.int64()), ("result", pa.binary())])


def in_tasks(
    spark: "SparkSession", n: int, work: Callable[[int], Iterable[Any]], *, doing: str = "at work on blocks of users"
) -> list[Any]:
    """What `work` yields for each number below `n`, in the order of the numbers. BLAS has one thread in a task.

    `work` and what it yields are pickled. A task may run twice, so `work` is deterministic, and what it writes has a
    name of its own. Raises the RecsysError of the first task that raised one, and ComputeError, which says `doing`
    what, if Spark fails.
    """
    if n == 0:
        return []
    with named_failures(doing):
        table = spark.range(0, n, 1, n).mapInArrow(partial(_do, work), _SCHEMA).toArrow()
    ordered = table.sort_by([("number", "ascending"), ("part", "ascending")])
    results = [pickle.loads(cell) for cell in cells_in(ordered.column("result"))]  # noqa: S301 (of our own tasks)
    for result in results:
        if isinstance(result, RecsysError):
            raise result
    return results


def _do(work: Callable[[int], Iterable[Any]], batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
    for batch in batches:
        for number in batch.column(0).to_pylist():
            with in_worker():
                for part, result in enumerate(_until_error(work, number)):
                    cells = [number], [part], [pickle.dumps(result)]
                    yield pa.record_batch([pa.array(cell) for cell in cells], schema=_COLUMNS)


def _until_error(work: Callable[[int], Iterable[Any]], number: int) -> Iterator[Any]:
    try:
        yield from work(number)
    except RecsysError as error:
        yield error
