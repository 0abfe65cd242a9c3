"""What is said of an ending, and what counts as one."""

import errno
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.bounded.endings import Ending, exit_code_of, is_abnormal, sentence_of
from pipelines.bounded.exhaustion import exhausted
from pipelines.bounded.limits import Limits
from pipelines.bounded.stall import Stall
from pipelines.bounded.usage import members, memory_of, seconds_of


@pytest.mark.parametrize(
    ("ending", "code", "says"),
    [
        (Ending(0, {}), 0, None),
        (Ending(3, {}), 3, None),
        (Ending(130, {}, forwarded=signal.SIGINT), 130, None),
        (Ending(-signal.SIGINT, {}, forwarded=signal.SIGINT), 130, None),
        (Ending(130, {}), 6, "interrupted, but not by Ctrl-C"),
        (Ending(1, {}), 1, "an unexpected error"),
        (Ending(6, {}), 6, "the system refused memory or threads"),
        (Ending(-signal.SIGABRT, {}), 6, "a native library crashed (SIGABRT)"),
        (Ending(-signal.SIGHUP, {}, forwarded=signal.SIGHUP), 129, "stopped by SIGHUP"),
        (Ending(-signal.SIGKILL, {}, forwarded=signal.SIGTERM), 6, "killed (SIGKILL)"),
        (Ending(0, {}, breach="memory: too much"), 6, "memory: too much"),
        (Ending(1, {}, breach="no progress"), 6, "no progress"),
    ],
)
def test_exit_code_and_reason(ending: Ending, code: int, says: str | None) -> None:
    assert exit_code_of(ending) == code
    assert is_abnormal(ending) == (says is not None)
    if says:
        assert sentence_of(ending).startswith(f"the job ended before its first step: {says}")


def test_the_sentence_names_step_stage_and_what_serves(tmp_path: Path) -> None:
    told = {"step": "train", "stage": "als", "store": str(tmp_path), "serving": "nothing"}
    assert sentence_of(Ending(-9, told)).startswith("the job ended during train (als): killed")
    assert sentence_of(Ending(-9, told)).endswith("; nothing serves, as before")
    (tmp_path / "CURRENT").write_text("v2\n")
    assert sentence_of(Ending(-9, told)).endswith("; v2 serves: it was published before that")


def _chained(outer: Exception, inner: Exception) -> Exception:
    try:
        try:
            raise inner
        except type(inner) as error:
            raise outer from error
    except type(outer) as error:
        return error


@pytest.mark.parametrize(
    ("error", "refused"),
    [
        (MemoryError(), "an allocation was refused"),
        (MemoryError("Unable to allocate 7 GiB"), "Unable to allocate 7 GiB"),
        (RuntimeError("can't start new thread"), "can't start new thread"),
        (OSError(errno.ENOMEM, "Cannot allocate memory"), "[Errno 12] Cannot allocate memory"),
        (
            _chained(ImportError("see above"), ImportError("x.so: failed to map segment")),
            "x.so: failed to map segment",
        ),
        (RuntimeError("odd"), None),
        (OSError(errno.ENOSPC, "No space left on device"), None),
        (_chained(ValueError("a"), KeyError("b")), None),
    ],
)
def test_errors_that_mean_that_memory_is_refused(error: Exception, refused: str | None) -> None:
    assert exhausted(error) == refused


def test_a_job_stalls_if_it_neither_tells_nor_works() -> None:
    now = 0.0
    stall = Stall(lambda: now)
    for now, used, lasts in ((10, 0.1, 10), (20, 0.15, 20), (30, 5.0, 0), (40, 5.1, 10), (50, 5.2, 20)):
        assert stall.lasts(used) == lasts, now
    stall.progress()
    now = 60.0
    assert stall.lasts(5.25) == 10


def test_the_limits_of_the_configuration_replace_the_usual_ones() -> None:
    usual = Limits(memory=1e9)
    assert usual.changed({"memory": None, "seconds": 5.0, "stall": 1.0}) == Limits(1e9, 5.0, 1.0)
    assert usual.changed({"memory": 2e9}).memory == 2e9
    assert usual.changed({}) == usual
    assert Limits.usual().memory > 0


def test_what_processes_use_is_read() -> None:

    me = os.getpid()
    before, held = memory_of(me), b"x" * 50_000_000
    assert memory_of(me) - before > 30_000_000
    assert seconds_of(me) > 0
    assert me in members(os.getpgid(0))
    assert len(held) > 0
    assert (memory_of(2**22 + 1), seconds_of(2**22 + 1)) == (0, 0.0)


def test_what_left_the_group_of_its_parent_is_counted_with_it() -> None:
    """Spark's Python workers do, and hold most of what a task needs."""
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, start_new_session=True) as left:
        try:
            assert left.pid in members(os.getpgid(0))
            assert os.getpgid(left.pid) != os.getpgid(0)
        finally:
            left.kill()
