"""Freed memory goes back to the system."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from recsys.memory import give_back

STATM = Path("/proc/self/statm")
pytestmark = pytest.mark.skipif(not STATM.exists(), reason="the resident size is read from /proc")


def _resident() -> int:
    return int(STATM.read_text().split()[1]) * 4096


def test_freed_arrays_leave_the_process() -> None:
    # glibc keeps arrays of a few MiB for later: they are freed below one that stays.
    arrays = [np.ones(100_000, np.int8) for _ in range(1_000)]
    last = np.ones(100_000, np.int8)
    held = _resident()
    del arrays
    give_back()
    assert held - _resident() > 80_000_000
    assert last.sum() == 100_000


def test_arrows_pool_is_emptied() -> None:
    buffers = [pa.allocate_buffer(1 << 20) for _ in range(100)]
    for buffer in buffers:
        np.frombuffer(buffer, np.uint8)[:] = 1
    held = _resident()
    del buffers, buffer
    give_back()
    assert held - _resident() > 80_000_000


_OF_ITS_OWN = """
import numpy as np
from recsys.memory import return_large_arrays
resident = lambda: int(open("/proc/self/statm").read().split()[1]) * 4096
return_large_arrays()
np.ones(30 << 20, np.int8)  # by this alone glibc would keep all that are smaller
arrays = [np.ones(size, np.int8) for _ in range(20) for size in (8 << 20, 100)]
held = resident()
del arrays[::2]
print(held - resident())
"""
"""For a process of its own: what it sets holds for all of it."""


def test_large_arrays_leave_as_soon_as_they_are_freed() -> None:
    done = subprocess.run([sys.executable, "-c", _OF_ITS_OWN], capture_output=True, text=True, check=True)
    assert int(done.stdout) > 150_000_000
