"""One writer at a time, across real processes."""

import os
import re
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from recsys.artifacts.lock import exclusive
from recsys.errors import ArtifactError

_HOLD = (
    "import fcntl, os, sys, time; file = open(sys.argv[1], 'a+'); fcntl.flock(file, fcntl.LOCK_EX); "
    "file.write(f'pid {os.getpid()}'); file.flush(); print('held', flush=True); time.sleep(60)"
)


@pytest.fixture
def holder(tmp_path: Path) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-S", "-c", _HOLD, str(tmp_path / "lock")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        yield process
        process.kill()


def test_who_comes_second_is_told_who_holds_it(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with (
        pytest.raises(ArtifactError, match=rf"pid {holder.pid}\) is sealing a version; try again"),
        exclusive(tmp_path / "lock", doing="sealing a version"),
    ):
        raise AssertionError("the lock was taken twice")


def test_the_lock_of_a_killed_process_is_free(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    holder.kill()
    holder.wait()
    with exclusive(tmp_path / "lock", doing="anything"):
        pass


def test_waiting_outlasts_a_short_holder(tmp_path: Path, holder: subprocess.Popen[str]) -> None:
    with subprocess.Popen([sys.executable, "-S", "-c", f"import time, os; time.sleep(.2); os.kill({holder.pid}, 9)"]):
        with exclusive(tmp_path / "lock", doing="anything", wait=20):
            pass
        holder.wait()


def test_it_can_be_taken_again_after_an_error(tmp_path: Path) -> None:
    with pytest.raises(KeyError), exclusive(tmp_path / "lock", doing="failing"):
        raise KeyError
    with exclusive(tmp_path / "lock", doing="working"):
        pass


def test_two_threads_or_nested_callers_exclude_each_other_too(tmp_path: Path) -> None:
    with (
        exclusive(tmp_path / "lock", doing="first"),
        pytest.raises(ArtifactError, match="is second") as told,
        exclusive(tmp_path / "lock", doing="second"),
    ):
        pass
    holder = rf"pid {os.getpid()} on {re.escape(socket.gethostname())} since \d{{4}}-\d\d-\d\dT[\d:]+\+00:00"
    assert re.search(holder, str(told.value))


def test_a_store_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="No such file"), exclusive(tmp_path / "no" / "lock", doing="anything"):
        pass


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs a device that is always full")
def test_a_full_disk_does_not_keep_anybody_from_the_lock() -> None:
    with exclusive(Path("/dev/full"), doing="rolling back on a full disk"):
        pass
