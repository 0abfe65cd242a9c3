"""What the soak counts as growth. The soak itself runs in `make torture`."""

import os
import subprocess
import sys
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from torture.processes import Reading, family, growths, read


def _readings(held: Callable[[float], dict[str, float]]) -> list[Reading]:
    return [Reading(pid, float(at), held(at)) for at in range(101) for pid in (7, 8)]


@pytest.mark.parametrize(
    ("what", "per_second", "is_flat"),
    [
        ("resident MiB", 0.1, True),
        ("resident MiB", 0.3, False),
        ("descriptors", 0.02, True),
        ("descriptors", 0.2, False),
        ("threads", 0.2, False),
        ("threads", -0.2, True),
    ],
)
def test_growth_is_that_of_the_second_half(what: str, per_second: float, is_flat: bool) -> None:
    start = {"resident MiB": 100.0, "descriptors": 30.0, "threads": 12.0}

    def held(at: float) -> dict[str, float]:
        warming = min(at, 50.0)  # of the first half
        return {name: at_first + warming + per_second * at * (name == what) for name, at_first in start.items()}

    found = [each for each in growths(_readings(held)) if each.what == what]
    assert [each.pid for each in found] == [7, 8]
    assert [each.is_flat for each in found] == [is_flat, is_flat]
    assert found[0].growth == pytest.approx(50 * per_second, abs=1e-6)


def test_a_process_is_read_with_its_children() -> None:
    before = read(os.getpid())
    with (
        subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child,
        Path(os.devnull).open() as _,
    ):
        go_on = threading.Event()
        thread = threading.Thread(target=go_on.wait)
        thread.start()
        assert child.pid in family(os.getpid())
        after = read(os.getpid())
        go_on.set()
        thread.join()
        child.kill()
    assert after.held["descriptors"] >= before.held["descriptors"] + 2  # a pipe and a file
    assert after.held["threads"] >= before.held["threads"] + 1
    assert after.held["resident MiB"] > 10
