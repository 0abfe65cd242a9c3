"""What is watched by `torture.syscalls`: processes that publish, roll back or prune in the store that they are given.

`python -m torture.publisher` imports everything once and forks a process for each line `ACTION STORE` of its standard
input. It answers with the process, which waits for a further line, does the action, and ends; then with how it ended.
"""

import ctypes
import os
import sys
from pathlib import Path

from recsys.artifacts.bundle import VERSIONS, seal_bundle
from recsys.artifacts.contents import Contents
from recsys.artifacts.pruning import prune
from recsys.artifacts.registry import Registry
from recsys.errors import ArtifactError
from torture.versions import contents, facts

ACTIONS = ("publish", "rollback", "prune")

_PR_SET_PTRACER, _ANYBODY = 0x59616D61, -1


def act(action: str, store: Path, made: Contents) -> int:
    """Do `action`; 3 if it was refused with an ArtifactError. `made`: what is published."""
    try:
        if action == "publish":
            Registry(store).publish(seal_bundle(store, made, facts(9)).version)
        elif action == "rollback":
            Registry(store).rollback()
        else:
            prune(Registry(store), 1)
    except ArtifactError as error:
        print(error, file=sys.stderr)
        return 3
    return 0 if (store / VERSIONS).is_dir() else 4


def main() -> None:
    """Fork a process for each line, until the input ends."""
    made = contents(False)
    _warm_up(made)
    while len(line := sys.stdin.buffer.raw.readline().decode().split()) == 2:
        if (process := os.fork()) == 0:
            os._exit(_forked(line[0], Path(line[1]), made))
        print(process, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def _warm_up(made: Contents) -> None:
    """Do everything once, so that what is imported late is imported."""
    from torture.scratch import scratch  # noqa: PLC0415

    with scratch("warm") as folder:
        for action in ("publish", "prune"):
            act(action, Path(folder), made)


def _forked(action: str, store: Path, made: Contents) -> int:
    ctypes.CDLL(None).prctl(_PR_SET_PTRACER, _ANYBODY, 0, 0, 0)
    sys.stdin.buffer.raw.readline()
    try:
        return act(action, store, made)
    except BaseException as error:
        print(repr(error), file=sys.stderr)
        return 1


if __name__ == "__main__":
    main()
