"""The parent of a job, each time with a small child that does what a job might do."""

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest

from pipelines.bounded.temporary import temporary_folder
from recsys.artifacts.lock import exclusive

PROGRAM = """
import os, signal, subprocess, sys, tempfile, time
from pathlib import Path
from pipelines.bounded.reports import adopt, hand_over, tell
from pipelines.bounded.watch import watch
if not adopt():
    sys.exit(watch(grace=0.3))
place = Path(sys.argv[1])
tell(step="train", workspace=str(place / "work"), store=str(place / "store"), serving="v1")
"""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="jobs are watched on Linux")


@contextmanager
def _started(place: Path, body: str) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-c", PROGRAM + body, str(place)]
    environment = {**os.environ, "TMPDIR": str(place / "tmp")}
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment
    ) as process:
        try:
            yield process
        finally:
            process.kill()


def _run(place: Path, body: str) -> tuple[int, str, str]:
    with _started(place, body) as process:
        out, err = process.communicate(timeout=30)
        return process.returncode, out, err


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A workspace and a store where v1 serves, both with what a killed job leaves."""
    for folder in ("tmp", "work/.train.new", "work/tune/s1", "store/versions/.staging-7"):
        (tmp_path / folder).mkdir(parents=True)
    for file in ("work/.train.new/x", "work/tune/s1/.x.new", "store/.CURRENT.new", "store/versions/.staging-7/x"):
        (tmp_path / file).write_text("half")
    (tmp_path / "store" / "CURRENT").write_text("v1\n")
    return tmp_path


def _gone(process: int) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        try:
            if (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("os.kill(os.getpid(), signal.SIGSEGV)", 6, "a native library crashed (SIGSEGV)"),
        ("os.kill(os.getpid(), signal.SIGKILL)", 6, "killed (SIGKILL): by the system because memory ran out, or by"),
        ("sys.exit(6)", 6, "the system refused memory or threads (above)"),
        ("raise ValueError('odd')", 1, "an unexpected error (above)"),
        ("os.kill(os.getpid(), signal.SIGINT); time.sleep(9)", 6, "interrupted, but not by Ctrl-C"),
        ("tell(limits={'memory': 1e8}); x = b'x' * 200_000_000; time.sleep(99)", 6, "memory: 0."),
        ("tell(limits={'seconds': 0.1}); time.sleep(99)", 6, "it took longer than 0 s (resources.time)"),
        (
            "signal.signal(signal.SIGINT, signal.SIG_IGN); tell(limits={'seconds': 0.1}); time.sleep(99)",
            6,
            "it took longer than",
        ),
        ("tell(limits={'stall': 0.1}); time.sleep(99)", 6, "no progress for 0 s (resources.stall)"),
    ],
)
def test_however_a_job_ends_it_is_told_and_nothing_is_left(place: Path, body: str, code: int, message: str) -> None:
    ended, out, err = _run(place, "Path(tempfile.mkdtemp(), 'x').touch(); print(tempfile.gettempdir())\n" + body)
    assert ended == code, err
    last = err.strip().splitlines()[-1]
    assert last.startswith(f"error: the job ended during train: {message}")
    assert last.endswith("; v1 serves, as before")
    assert not list(place.glob("work/**/.*.new"))
    assert {path.name for path in (place / "store").rglob("*")} <= {
        "CURRENT", "versions", ".seal.lock", ".pointer.lock"
    }  # fmt: skip
    assert "recsys-job-" in out
    assert not Path(out.strip()).exists()


@pytest.mark.parametrize("code", [0, 5])
def test_a_job_that_ends_by_itself_has_the_last_word(place: Path, code: int) -> None:
    assert _run(place, f"print('done'); sys.exit({code})") == (code, "done\n", "")


def test_what_another_job_works_at_stays(place: Path) -> None:
    with exclusive(place / "work" / ".lock", doing="running"), exclusive(place / "store" / ".seal.lock", doing="it"):
        assert _run(place, "os.abort()")[0] == 6
    assert (place / "work" / ".train.new" / "x").exists()
    assert (place / "store" / "versions" / ".staging-7").exists()


def test_a_version_that_was_published_before_the_end_is_named(place: Path) -> None:
    _, _, err = _run(place, "(place / 'store' / 'CURRENT').write_text('v2'); os.abort()")
    assert err.endswith("; v2 serves: it was published before that\n")


def test_the_memory_of_all_its_processes_counts(place: Path) -> None:
    other = "x = b'x' * 200_000_000; import time; time.sleep(99)"
    ended, _, err = _run(place, f"tell(limits={{'memory': 1e8}}); subprocess.run([sys.executable, '-c', {other!r}])")
    assert ended == 6
    assert "memory: 0." in err


def test_a_job_that_tells_of_progress_is_not_stalled(place: Path) -> None:
    assert _run(place, "tell(limits={'stall': 2})\nfor _ in range(25): time.sleep(0.1); tell(stage='x')")[0] == 0


def test_what_it_started_ends_with_it(place: Path) -> None:
    _, out, _ = _run(place, "print(subprocess.Popen(['sleep', '99']).pid, flush=True); os.abort()")
    assert _gone(int(out))


def test_the_child_ends_with_its_parent(place: Path) -> None:
    with _started(place, "print(os.getpid(), flush=True); time.sleep(99)") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.kill()
        assert _gone(child)


def test_temporary_files_of_a_parent_that_was_killed_go_with_the_next_job(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    abandoned, young = tmp_path / "recsys-job-old", tmp_path / "recsys-job-new"
    with temporary_folder() as running:
        for folder in (abandoned, young):
            (folder / "within").mkdir(parents=True)
        for folder in (abandoned, Path(running)):
            os.utime(folder, (0, 0))
        with temporary_folder() as own:
            assert {str(path) for path in tmp_path.iterdir()} == {running, own, str(young)}
    assert list(tmp_path.iterdir()) == [young]


def test_a_signal_is_forwarded(place: Path) -> None:
    with _started(place, "print('ready', flush=True); time.sleep(99)") as process:
        _ready(process)
        process.send_signal(signal.SIGTERM)
        _, err = process.communicate(timeout=20)
    assert (process.returncode, "stopped by SIGTERM" in err) == (143, True)


def test_ctrl_c_reaches_the_job_each_time(place: Path) -> None:
    body = """
for _ in range(2):
    try:
        print('ready', flush=True)
        time.sleep(99)
    except KeyboardInterrupt:
        print('interrupted', flush=True)
sys.exit(130)
"""
    with _started(place, "signal.signal(signal.SIGINT, signal.default_int_handler)" + body) as process:
        for _ in range(2):
            _ready(process)
            process.send_signal(signal.SIGINT)
        out, err = process.communicate(timeout=20)
    assert (process.returncode, out.count("interrupted"), err) == (130, 1, "")


def test_ctrl_z_stops_the_job_too(place: Path) -> None:
    with _started(place, "print(os.getpid(), flush=True); time.sleep(0.5); print('done')") as process:
        assert process.stdout is not None
        child = int(process.stdout.readline())
        process.send_signal(signal.SIGTSTP)
        assert _until(lambda: _state(child) == "T" and _state(process.pid) == "T")
        process.send_signal(signal.SIGCONT)
        out, _ = process.communicate(timeout=20)
    assert (process.returncode, out) == (0, "done\n")


def test_the_parent_becomes_what_the_child_hands_over(place: Path) -> None:
    with _started(place, "hand_over([sys.executable, '-c', 'import os; print(os.getpid())'])") as process:
        out, _ = process.communicate(timeout=20)
    assert int(out) == process.pid


def test_a_stale_mark_in_the_environment_makes_no_child(place: Path) -> None:
    for mark in ("99:1",):
        process = subprocess.run(
            [sys.executable, "-c", PROGRAM + "print('ran', 'RECSYS_CHILD' in os.environ)", str(place)],
            env={**os.environ, "RECSYS_CHILD": mark}, stdin=subprocess.DEVNULL, capture_output=True, text=True,
            check=False,
        )  # fmt: skip
        assert process.stdout == "ran False\n"


def _ready(process: "subprocess.Popen[str]") -> None:
    assert process.stdout is not None
    while process.stdout.readline() != "ready\n":
        pass


def _state(process: int) -> str:
    with suppress(OSError):
        return (Path("/proc") / str(process) / "stat").read_text().rpartition(")")[2].split()[0]
    return ""


def _until(true: Callable[[], bool]) -> bool:
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        if true():
            return True
        time.sleep(0.02)
    return False
