"""A publishing process killed before any of its file operations leaves a store that is whole and can go on."""

import os
import signal
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry

Seal = Callable[..., Manifest]

_CHANGING = {"os.mkdir", "os.rename", "os.remove", "os.rmdir"}
_WRITE_FLAGS = os.O_WRONLY | os.O_RDWR

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="needs fork and SIGKILL")


def survives(work: Callable[[], None], killed_before: int) -> bool:
    """Do `work` in a child that is killed before its n-th change of the file system; True if it ends."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # threads of numeric libraries sleep while we fork
        child = os.fork()
    if child == 0:
        left = killed_before

        def kill_in_time(event: str, arguments: tuple[Any, ...]) -> None:
            nonlocal left
            if event in _CHANGING or (event == "open" and arguments[2] & _WRITE_FLAGS):
                left -= 1
                if left < 0:
                    os.kill(os.getpid(), signal.SIGKILL)

        code = 1
        try:
            sys.addaudithook(kill_in_time)
            work()
            code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.WIFSIGNALED(status) or os.waitstatus_to_exitcode(status) == 0
    return not os.WIFSIGNALED(status)


def test_a_kill_anywhere_leaves_the_old_version_or_the_new(store: Path, seal: Seal) -> None:
    registry = Registry(store)
    old, new = seal(0).version, None
    registry.publish(old)
    kills = 0
    served = set()

    def publish_another() -> None:
        registry.publish(seal(kills + 1).version)

    while not survives(publish_another, kills):
        served.add(registry.load().manifest.version)
        kills += 1
    assert kills > 20
    assert served == {old}
    new = registry.load().manifest.version
    assert new != old

    assert not list((store / "versions").glob(".staging-*"))
    assert registry.rollback() == old
    assert set(registry.names()) >= {old, new}


def test_a_kill_between_history_and_pointer_does_not_confuse_a_rollback(store: Path, seal: Seal) -> None:
    registry = Registry(store)
    first, second, third = (seal(number).version for number in range(3))
    registry.publish(first)
    registry.publish(second)
    kills = 0
    while not survives(lambda: registry.publish(third), kills):
        if registry.history()[-1].version == third:
            assert registry.current() == second
            assert survives(registry.rollback, 1_000)
            assert registry.current() == first
            return
        kills += 1
    raise AssertionError("no kill fell between HISTORY and CURRENT")
