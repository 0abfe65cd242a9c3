"""Everybody's list on Spark: each task ranks a range of users with the engine of one machine, and writes one file."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

import pyarrow as pa

from recsys.artifacts.bundle import load_as_verified
from recsys.artifacts.manifest import log_read_at
from recsys.engine import Engine
from recsys.errors import ConfigError
from recsys.export.formats import format_of
from recsys.export.lists import LISTED_AT_ONCE, list_rows
from recsys.forgotten import Forgotten
from recsys.spark.tasks import in_tasks
from recsys.storage import storage_errors

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

MOST_USERS = 96 * LISTED_AT_ONCE
"""Users of one part file."""

_TASKS_PER_CORE = 3


@dataclass(frozen=True)
class ListsOrder:
    """What every task is told.

    `bundle`: folder of the version, which the driver has verified. `folder`: for the part files. `ending`: of their
    names, which says the format. `k`, `filter`, `exclude_seen`: as of `Engine.iter_all`. `bounds`: the users of part
    i are those from `bounds[i]` on. `day`: for all lists. `forgotten`: key and times of the tombstones, by digest.
    `name`: of this export, so that no task uses the engine of an earlier one.
    """

    bundle: Path
    folder: Path
    ending: str
    k: int
    filter: str | None
    exclude_seen: bool | None
    bounds: tuple[int, ...]
    day: date
    forgotten: tuple[bytes, dict[bytes, float]]
    name: str = field(default_factory=lambda: uuid4().hex)

    @property
    def files(self) -> list[Path]:
        """The part files, in the order of their users."""
        return [self.file(number) for number in range(len(self.bounds) - 1)]

    def file(self, number: int) -> Path:
        """A part file; its name is never used for other lists."""
        return self.folder / f"part-{number:05d}-{self.name[:8]}{self.ending}"


def cut_users(n_trained: int, n_folded: int, *, cores: int) -> tuple[int, ...]:
    """Bounds of the users of each task: three tasks per core, if each has 1,024 users or more.

    Trained users and those who are folded in are cut apart, at multiples of the batches of `recsys export`, so that
    every batch has the same users there and here.
    """
    total = n_trained + n_folded
    batches = max(1, min(MOST_USERS // LISTED_AT_ONCE, -(-total // (LISTED_AT_ONCE * _TASKS_PER_CORE * cores))))
    step = batches * LISTED_AT_ONCE
    starts = sorted({0, *range(0, n_trained, step), *range(n_trained, total, step)})
    return (*starts, total)


def write_lists(spark: "SparkSession", order: ListsOrder) -> int:
    """Write every user's list as part files. Returns the rows written.

    Raises ConfigError if an executor does not see the version or the folder, StorageError if it cannot write, and the
    errors of the engine.
    """
    return sum(in_tasks(spark, len(order.files), partial(_write_part, order)))


def _write_part(order: ListsOrder, number: int) -> Iterator[int]:
    """In a task: write one part, and yield its rows. A task that runs twice writes the same file twice."""
    _check_seen(order)
    with storage_errors(order.folder, doing="while the lists were written"):
        yield _write_file(order, range(*order.bounds[number : number + 2]), order.file(number))


def _write_file(order: ListsOrder, users: range, out: Path) -> int:
    engine, rows = _engine(order), 0
    unfinished = out.with_name(f".{out.name}.{uuid4().hex[:8]}")
    asked = engine.iter_all(
        order.k, LISTED_AT_ONCE, filter=order.filter, exclude_seen=order.exclude_seen, users=users
    )
    try:
        with pa.OSFile(str(unfinished), "wb") as file, format_of(out.name, shown=str(out))(file) as writer:
            for ids, top in asked:
                lists = list_rows(engine, ids, top)
                writer.write(lists)
                rows += lists.num_rows
        unfinished.replace(out)
    finally:
        unfinished.unlink(missing_ok=True)
    return rows


def _check_seen(order: ListsOrder) -> None:
    for key, folder in (("publish.store", order.bundle), ("export.to or compute.scratch", order.folder)):
        if not folder.is_dir():
            raise ConfigError(
                f"{key}: an executor does not see {folder}; name a folder of a file system that the driver and every"
                " executor have at the same path (docs/spark.md)"
            )


_opened: dict[str, Engine] = {}
"""The engine of this Python worker, by the name of the export: tasks of one worker share it."""


def _engine(order: ListsOrder) -> Engine:
    if order.name not in _opened:
        _opened.clear()
        bundle = load_as_verified(order.bundle)
        forgotten, made_at = Forgotten(*order.forgotten), log_read_at(bundle.manifest)
        _opened[order.name] = Engine(
            bundle,
            today=lambda: order.day,
            is_forgotten=lambda user_id: forgotten.of_version(made_at, user_id),
        )
    return _opened[order.name]
