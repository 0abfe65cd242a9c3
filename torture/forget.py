"""`recsys forget`, killed: at a drawn call of the system that changes a file, again and again, then let end.

After each kill the store must have a version that serves, and nobody must be known to it who was forgotten once the
tombstone is there; typed again, the command must leave nothing of the user.
"""

import multiprocessing
import os
import random
import shutil
import signal
import sys
import tempfile
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from recsys.artifacts.purging import purge
from recsys.artifacts.registry import Registry
from recsys.artifacts.tombstones import add_tombstones
from recsys.engine.opening import open_engine
from recsys.engine.rehearsal import check_serves
from recsys.errors import RecsysError
from recsys.forgotten import read_forgotten
from torture.versions import N_USERS, seal

CHANGES = ("os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.chmod", "os.truncate", "open")
"""The audited calls of the interpreter at one of which the process dies."""

MOST_CALLS = 280
"""About how many of them forgetting a user of two small versions makes."""

_USERS = (*(f"user {at:03}" for at in range(N_USERS)), "folded 0", "folded 1", "folded 2")


@dataclass
class Tried:
    """`endings`: cases by whether the process was killed or had ended before."""

    n_tried: int = 0
    endings: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def forget(store: Path, user_id: str) -> None:
    """What the command does to a store."""
    registry = Registry(store, check=check_serves)
    add_tombstones(registry, [user_id])
    purge(registry)


def campaign(n: int, *, first: int = 0) -> Tried:
    """Kill it `n` times, each time on a fresh copy of one store."""
    tried = Tried()
    with tempfile.TemporaryDirectory() as folder:
        original = Path(folder) / "store"
        for seed in (1, 2):
            Registry(original).publish(seal(original, seed=seed))
        for number in range(first, first + n):
            store = Path(folder) / f"case-{number}"
            shutil.copytree(original, store)
            _try(store, number, tried)
            shutil.rmtree(store)
    return tried


def _try(store: Path, number: int, tried: Tried) -> None:
    rng = random.Random(number)
    user = rng.choice(_USERS)
    ending = _killed(store, user, at=rng.randrange(MOST_CALLS))
    tried.n_tried += 1
    tried.endings[ending] += 1
    try:
        if problem := _check(store, user):
            tried.failures.append(f"case {number}, {user}: {problem}")
    except RecsysError as error:
        tried.failures.append(f"case {number}, {user}: {error}")


def _killed(store: Path, user: str, *, at: int) -> str:
    """Forget in a process of its own, which dies at its `at`-th change."""
    child = multiprocessing.get_context("fork").Process(target=_die_at, args=(store, user, at))
    child.start()
    child.join()
    return "killed" if child.exitcode == -signal.SIGKILL else "ended"


def _die_at(store: Path, user: str, at: int) -> None:
    left = [at]

    def audit(event: str, args: tuple[object, ...]) -> None:
        if event not in CHANGES or (event == "open" and not _writes(args)):
            return
        left[0] -= 1
        if left[0] < 0:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(audit)
    forget(store, user)


def _writes(args: tuple[object, ...]) -> bool:
    flags = args[2] if len(args) > 2 else 0
    return isinstance(flags, int) and bool(flags & (os.O_WRONLY | os.O_RDWR))


def _check(store: Path, user: str) -> str | None:
    """What is wrong after the kill, or after the command was typed again."""
    registry = Registry(store, check=check_serves)
    registry.verify(registry.current() or "")
    if read_forgotten(store) and open_engine(registry).recommend(user).user_status != "fallback":
        return "the tombstone is there, and the user is known"
    forget(store, user)
    if user.encode() in b"".join(path.read_bytes() for path in store.rglob("*") if path.is_file()):
        return "the id is left"
    if left := [path.name for path in (store / "versions").iterdir() if path.name.startswith(".")]:
        return f"left: {left}"
    if len(registry.names()) != 2 or registry.rollback_target() is None:
        return f"versions: {registry.names()}"
    registry.verify(registry.current() or "")
    return None
