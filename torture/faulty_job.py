"""What is run by `torture.children`: `recsys`, whose child does something wrong at a moment of a step.

`python -m torture.faulty_job FAULT STEP SECONDS run pipeline.toml ...`: the fault comes so long after the step began.
"""

import ctypes
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from typing import Any

from pipelines.bounded.reports import adopt
from pipelines.bounded.watch import watch

_GRACE = 1.0
_HELD: list[bytes] = []


def _signal(number: int) -> Callable[[], None]:
    return lambda: os.kill(os.getpid(), number)


def _hold_the_interpreter() -> None:
    ctypes.PyDLL(None).pause()


def _hold_memory() -> None:
    while True:
        _HELD.append(b"x" * (64 << 20))


FROM_OUTSIDE: dict[str, Callable[[], None]] = {
    "kill": _signal(signal.SIGKILL),
    "segv": _signal(signal.SIGSEGV),
    "abort": _signal(signal.SIGABRT),
    "term": _signal(signal.SIGTERM),
    "stop": _signal(signal.SIGSTOP),
    "hang": _hold_the_interpreter,
    "memory": _hold_memory,
}
"""Faults that come while the step works."""

RAISED: dict[str, Exception] = {
    "refused memory": MemoryError("Unable to allocate 64 GiB"),
    "refused thread": RuntimeError("can't start new thread"),
    "error": ZeroDivisionError("odd"),
}
"""Faults that the step raises."""

NONE = "none"


def main() -> None:
    """Be the parent; or the child, with the fault prepared."""
    fault, step, seconds, *arguments = sys.argv[1:]
    sys.argv[1:] = arguments
    if not adopt():
        sys.exit(watch(grace=_GRACE))
    if fault != NONE:
        _prepare(fault, step, float(seconds))
    from pipelines.cli import main as command_line  # noqa: PLC0415

    command_line()


def _prepare(fault: str, step: str, seconds: float) -> None:
    import pipelines.steps.run as run  # noqa: PLC0415

    real = run.tell

    def tell(**facts: Any) -> None:
        real(**facts)
        if facts.get("step") == step:
            if fault in RAISED:
                raise RAISED[fault]
            threading.Thread(target=_later, args=(FROM_OUTSIDE[fault], seconds), daemon=True).start()

    run.tell = tell  # type: ignore[assignment]


def _later(fault: Callable[[], None], seconds: float) -> None:
    time.sleep(seconds)
    fault()


if __name__ == "__main__":
    main()
