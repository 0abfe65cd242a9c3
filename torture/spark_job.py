"""What is run by `torture.spark`: `recsys`, of whose processes some are killed at a moment of a step.

`python -m torture.spark_job WHO STEP=STAGES[,STEP=STAGES ...] TOLD run pipeline.toml ...`: WHO is killed when so many
stages of Spark have begun in the step. The file TOLD gets a line per kill.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.bounded.reports import adopt
from pipelines.bounded.watch import watch
from torture.processes import family

if TYPE_CHECKING:
    from pyspark import StatusTracker

_GRACE, _LOOKS, _EVERY = 1.0, 1000, 0.02
_ITERATION = "iteration-00002/state.json"

_NAMES: dict[str, Callable[[str], bool]] = {
    "java": lambda command: "SparkSubmit" in command,
    "executor": lambda command: "CoarseGrainedExecutorBackend" in command,
    "worker": lambda command: "pyspark.daemon" in command,
}
_OWN = ("driver", "parent", "iteration")
WHO = (*_OWN, *_NAMES)
"""The Python of the driver; it and its parent; both once two iterations of train are stored; the Java of the driver;
that of an executor; a Python worker of an executor."""


def main() -> None:
    """Be the parent; or the child, with the fault prepared."""
    who, moments, told, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    if not adopt():
        sys.exit(watch(grace=_GRACE))
    if who in WHO:
        pairs = (moment.split("=") for moment in moments.split(","))
        _prepare(who, {step: int(stages) for step, stages in pairs}, Path(told))
    from pipelines.cli import main as command_line  # noqa: PLC0415

    command_line()


def _prepare(who: str, moments: Mapping[str, int], told: Path) -> None:
    import pipelines.steps.run as run  # noqa: PLC0415

    real = run.tell

    def tell(**facts: Any) -> None:
        real(**facts)
        if (step := str(facts.get("step"))) in moments:
            from pyspark.sql import SparkSession  # noqa: PLC0415

            session = SparkSession.getActiveSession()
            assert session is not None
            tracker = session.sparkContext.statusTracker()
            given = (who, step, moments[step], tracker, told)
            threading.Thread(target=_wait_and_kill, args=given, daemon=True).start()

    run.tell = tell  # type: ignore[assignment]


def _wait_and_kill(who: str, step: str, stages: int, tracker: "StatusTracker", told: Path) -> None:
    if who == "iteration":
        while not [*told.parent.glob(f"work/spark/train/fit/fit/{_ITERATION}")]:
            time.sleep(_EVERY)
    else:
        _wait(tracker, stages)
    with told.open("a") as file:
        file.write(f"{who} in {step}\n")
    if who in _OWN:
        if who != "driver":
            os.kill(os.getppid(), signal.SIGKILL)
        os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(_LOOKS):  # workers come and go
        if found := [process for process in family(os.getpid())[1:] if _NAMES[who](_command(process))]:
            os.kill(found[-1], signal.SIGKILL)
            return
        time.sleep(_EVERY)


def _wait(tracker: "StatusTracker", stages: int) -> None:
    """Until so many stages have begun from now on, and one of them is at work."""
    begun, last = 0, None
    while begun <= stages:
        if (active := tracker.getActiveStageIds()) and max(active) != last:
            begun += 1 if last is None else max(active) - last
            last = max(active)
        time.sleep(_EVERY)


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
