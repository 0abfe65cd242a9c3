"""Freed memory goes back to the system."""

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
