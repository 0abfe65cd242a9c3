"""What the child tells its parent: lines of JSON through a pipe. Without a parent nothing is told."""

import ctypes
import json
import os
import signal
import stat
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

VARIABLE = "RECSYS_CHILD"
"""Set by the parent for its child: the pipe's descriptor and the parent's process, as in `5:1234`."""

_EVERY_SECONDS = 1.0
_OOM_SCORE = Path("/proc/self/oom_score_adj")
_ENDS_FIRST = 500
_PR_SET_PDEATHSIG = 1


class _Pipe:
    """The way to the parent. `descriptor`: None if there is none."""

    descriptor: int | None = None
    told_progress = 0.0


def is_watched() -> bool:
    """Whether this process is the child of a watching parent."""
    return _Pipe.descriptor is not None


def adopt() -> bool:
    """Become the child that the environment says; False if it says nothing, and nothing changes.

    The child dies with its parent, however that ends, and is the first that the system ends if memory runs out:
    rather than a service on the same machine.
    """
    descriptor, _, parent = os.environ.pop(VARIABLE, "").partition(":")
    if not (descriptor.isdigit() and parent.isdigit() and _is_pipe(int(descriptor))):
        return False
    os.set_inheritable(int(descriptor), False)
    os.set_blocking(int(descriptor), False)
    _Pipe.descriptor = int(descriptor)
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    if os.getppid() != int(parent):
        sys.exit(1)  # the parent is gone already
    with suppress(OSError, ValueError):
        _OOM_SCORE.write_text(str(max(_ENDS_FIRST, int(_OOM_SCORE.read_text()))))
    return True


def _is_pipe(descriptor: int) -> bool:
    try:
        return stat.S_ISFIFO(os.fstat(descriptor).st_mode)
    except OSError:
        return False


def tell(**facts: Any) -> None:
    """Tell the parent; nothing happens if there is none, or if it does not listen."""
    if _Pipe.descriptor is not None:
        with suppress(OSError):
            os.write(_Pipe.descriptor, json.dumps(facts).encode() + b"\n")


def tell_progress(stage: str) -> None:
    """Tell that work goes on, once a second at most. `stage`: what is being done."""
    now = time.monotonic()
    if now - _Pipe.told_progress >= _EVERY_SECONDS:
        _Pipe.told_progress = now
        tell(stage=stage)


def hand_over(command: list[str]) -> bool:
    """Let the parent become `command` after this process has ended with 0; False if there is no parent."""
    tell(then=command)
    return is_watched()
