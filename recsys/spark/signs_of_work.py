"""Signs of work: a driver that waits for executors tells of the tasks that end, so that it is not taken to hang."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

_EVERY_SECONDS = 5.0


@contextmanager
def telling_tasks(
    spark: "SparkSession", tell: Callable[[str], None], *, every: float = _EVERY_SECONDS
) -> Iterator[None]:
    """While the block runs, call `tell` with a few words whenever tasks have ended; it looks `every` so many seconds.

    It is called from another thread.
    """
    over = threading.Event()

    def look() -> None:
        before: list[tuple[int, int, int]] = []
        while not over.wait(every):
            with suppress(Exception):  # of a session that ends meanwhile
                if (now := _stages(spark)) and now != before:
                    tell(", ".join(f"stage {stage}: {done:,} of {n:,} tasks" for stage, done, n in now))
                before = now

    thread = threading.Thread(target=look, name="signs-of-work", daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join(every)


def _stages(spark: "SparkSession") -> list[tuple[int, int, int]]:
    """Number, ended tasks and tasks of each stage that runs."""
    tracker = spark.sparkContext.statusTracker()
    stages = map(tracker.getStageInfo, tracker.getActiveStageIds())
    return sorted((stage.stageId, stage.numCompletedTasks, stage.numTasks) for stage in stages if stage)
