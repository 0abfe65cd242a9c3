"""What is run by `torture.spark`: `recsys`, one of whose processes is killed at a moment of a step.

`python -m torture.spark_job WHO STEP SECONDS run pipeline.toml ...`: it is killed so long after the step began.
"""

import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from pipelines.bounded.reports import adopt
from pipelines.bounded.watch import watch
from torture.processes import family

_GRACE, _LOOKS = 1.0, 200

_NAMES: dict[str, Callable[[str], bool]] = {
    "java": lambda command: "SparkSubmit" in command,
    "executor": lambda command: "CoarseGrainedExecutorBackend" in command,
    "worker": lambda command: "pyspark.daemon" in command,
}
WHO = ("driver", *_NAMES)
"""The Python of the driver, its Java, the Java of an executor, a Python worker of an executor."""


def main() -> None:
    """Be the parent; or the child, with the fault prepared."""
    who, step, seconds, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    if not adopt():
        sys.exit(watch(grace=_GRACE))
    if who in WHO:
        _prepare(who, step, float(seconds))
    from pipelines.cli import main as command_line  # noqa: PLC0415

    command_line()


def _prepare(who: str, step: str, seconds: float) -> None:
    import pipelines.steps.run as run  # noqa: PLC0415

    real = run.tell

    def tell(**facts: Any) -> None:
        real(**facts)
        if facts.get("step") == step:
            threading.Thread(target=_kill, args=(who, seconds), daemon=True).start()

    run.tell = tell  # type: ignore[assignment]


def _kill(who: str, seconds: float) -> None:
    time.sleep(seconds)
    if who == "driver":
        os.kill(os.getpid(), signal.SIGKILL)
    for _ in range(_LOOKS):  # workers come and go
        if found := [process for process in family(os.getpid())[1:] if _NAMES[who](_command(process))]:
            os.kill(found[-1], signal.SIGKILL)
            return
        time.sleep(0.02)


def _command(process: int) -> str:
    try:
        return Path(f"/proc/{process}/cmdline").read_text(errors="replace")
    except OSError:
        return ""


if __name__ == "__main__":
    main()
