"""Whether executors can work: they come, have the same Python and recsys, and see the folders of the job."""

import os
import platform
import stat
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from uuid import uuid4

from recsys.errors import ConfigError
from recsys.spark.starting import why
from recsys.spark.tasks import in_tasks
from recsys.storage import reason

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

WAIT_SECONDS = 600.0
"""How long the first task may wait for an executor: clusters that grow on demand take minutes."""

MARK = ".look-"
"""How the names of the files begin that tasks write to show that they can."""

_MOST_TASKS = 64
_GROUP = "recsys-look"


@dataclass(frozen=True)
class Executors:
    """`cores`: tasks that run at once, as far as Spark knows now. `python`: of the executors that were asked."""

    cores: int
    python: str


def check_executors(
    spark: "SparkSession",
    *,
    scratch: Path,
    reads: Sequence[tuple[str, Path]] = (),
    wait_seconds: float = WAIT_SECONDS,
) -> Executors:
    """Let tasks write into `scratch` and look for what the job reads, by the key of the configuration that names it.

    Raises ConfigError if no executor takes a task within `wait_seconds`, if one has another Python or no recsys, does
    not see a path, or writes into another folder than the driver's; StorageError if `scratch` cannot be written.
    """
    cores = spark.sparkContext.defaultParallelism
    mark = f"{MARK}{uuid4().hex[:12]}"
    try:
        make_folder(scratch)
        (scratch / mark).write_bytes(b"")
    except OSError as error:
        raise ConfigError(f"compute.scratch: {scratch} cannot be written: {reason(error, scratch)}") from error
    try:
        look = partial(_look, scratch, mark, tuple(reads))
        found = _in_time(spark, partial(in_tasks, spark, min(_MOST_TASKS, 2 * cores), look), wait_seconds)
        if missing := [name for name, _ in found if not (scratch / name).exists()]:
            raise ConfigError(_UNSEEN.format("compute.scratch", f"what an executor wrote there ({missing[0]})"))
    finally:
        for left in scratch.glob(f"{mark}*"):
            left.unlink(missing_ok=True)
    return Executors(cores, found[0][1])


def make_folder(folder: Path) -> None:
    """Make a folder that may be entered by whoever may enter the one above it; its executors may be other users.

    If what is made in the one above is of its group, so is what is made here.
    """
    if not folder.is_dir():
        if not folder.parent.exists():
            folder.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        folder.mkdir(exist_ok=True)
        folder.chmod(stat.S_IMODE(folder.parent.stat().st_mode) & 0o2777)


_UNSEEN = (
    "{}: {} is not the same for the driver and for every executor; name a folder of a file system that all of them"
    " have at the same path (docs/spark.md)"
)


def _look(scratch: Path, mark: str, reads: tuple[tuple[str, Path], ...], number: int) -> Iterator[tuple[str, str]]:
    """In a task: the file that it has written, and its Python."""
    for key, path in (("compute.scratch", scratch / mark), *reads):
        if not path.exists():
            place = path.parent if key == "compute.scratch" else path
            raise ConfigError(_UNSEEN.format(key, place))
    name = f"{mark}-{number}-{os.getpid()}"
    try:
        (scratch / name).write_bytes(b"")
    except OSError as error:
        raise ConfigError(
            f"compute.scratch: an executor cannot write to {scratch}: {reason(error, scratch)}"
        ) from error
    yield name, platform.python_version()


def _in_time(spark: "SparkSession", work: partial[list[Any]], seconds: float) -> list[Any]:
    """What the jobs of `work` return; they are given up after `seconds`."""
    ended: list[Any] = []

    def do() -> None:
        spark.sparkContext.setJobGroup(_GROUP, "looking at the executors", interruptOnCancel=True)
        try:
            ended.append(work())
        except Exception as error:  # of py4j, Spark and tasks; raised where it is waited for
            ended.append(error)

    thread = threading.Thread(target=do, daemon=True)
    thread.start()
    thread.join(seconds)
    if not ended:
        spark.sparkContext.cancelJobGroup(_GROUP)
        raise ConfigError(
            f'compute.engine = "spark": no executor took a task within {seconds:,.0f} s; does the cluster have free'
            " cores and memory for one (spark.executor.cores, spark.executor.memory)?"
        )
    if isinstance(ended[0], ConfigError):
        raise ended[0]
    if isinstance(ended[0], Exception):
        raise ConfigError(_explained(ended[0])) from None
    found: list[Any] = ended[0]
    return found


def _explained(failed: Exception) -> str:
    error = failed.__context__ or failed  # what Spark said before it was put into one line
    text = str(error)
    if "PYTHON_VERSION_MISMATCH" in text:
        told = next((line.strip() for line in text.splitlines() if "PYTHON_VERSION_MISMATCH" in line), "")
        said = told.partition("[PYTHON_VERSION_MISMATCH] ")[2].partition(".Please")[0]
        return (
            "compute.conf: spark.pyspark.python: executors run another Python than the driver"
            f" ({platform.python_version()}): {said[:200]}; give them the same environment (docs/spark.md)"
        )
    for line in text.splitlines():
        if "ModuleNotFoundError: " in line or "No module named" in line:
            return (
                f"executors do not have what the job needs: {line.strip()[:200]}; docs/spark.md says how they get it"
            )
    if "Cannot run program" in text:
        return f"compute.conf: spark.pyspark.python: an executor cannot start Python: {why(error)}"
    return f'compute.engine = "spark": the first task failed: {why(error)}'
