"""What only a process of its own can show: how the command line starts, what it imports, how it ends."""

import signal
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any

from pipelines import entry
from recsys.artifacts.lock import exclusive
from recsys.artifacts.registry import Registry

HEAVY = {"numpy", "pandas", "pyarrow", "scipy", "implicit", "faiss", "matplotlib", "pydantic", "optuna", "fastapi"}


def test_recsys_is_the_same_program_as_python_m_pipelines(recsys: Any, recsys_process: Any) -> None:
    (script,) = entry_points(group="console_scripts", name="recsys")
    assert script.load() is entry.main
    ended = recsys_process("--help")
    assert (ended.returncode, ended.stdout) == (0, recsys("--help").stdout)


def test_an_error_is_2_on_standard_error(recsys_process: Any, tmp_path: Path) -> None:
    ended = recsys_process("models", "--store", tmp_path / "nowhere")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("error: --store ")


def test_help_needs_no_heavy_package() -> None:
    program = "import sys, pipelines.cli; print(*{name.partition('.')[0] for name in sys.modules})"
    shown = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert "typer" in shown.split()
    assert not HEAVY & set(shown.split())


def test_ctrl_c_is_130_and_leaves_no_step_half_done(shop: Path) -> None:
    endless = ("model.iterations=1000", "model.factors=128", "model.early_stopping=false")
    options = [part for setting in endless for part in ("--set", setting)]
    # A shell's background job ignores SIGINT, and so do the processes that it starts, this one included.
    program = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler); import pipelines.__main__"
    command = [sys.executable, "-c", program, "run", str(shop), *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        try:
            deadline = time.monotonic() + 60
            while not (shop.parent / "work" / "prepare").exists() and time.monotonic() < deadline:
                time.sleep(0.02)
            process.send_signal(signal.SIGINT)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert (process.returncode, out) == (130, "")
    assert err.endswith("interrupted: finished steps keep their outputs, the version that serves is unchanged\n")
    assert (shop.parent / "work" / "prepare" / "step.json").exists()
    assert not (shop.parent / "store" / "CURRENT").exists()


def test_a_job_that_another_one_overtakes_ends_with_5(shop: Path, recsys_process: Any) -> None:
    store, other = shop.parent / "store", "v" + "0" * 16
    store.mkdir()
    with ThreadPoolExecutor() as threads:
        with exclusive(store / ".pointer.lock", doing="moving the pointer"):
            job = threads.submit(recsys_process, "run", shop)
            deadline = time.monotonic() + 100
            while not Registry(store).names() and not job.done() and time.monotonic() < deadline:
                time.sleep(0.02)
            (store / "CURRENT").write_text(f"{other}\n")
        ended = job.result()
    assert ended.returncode == 5, ended.stderr
    assert f"{other} serves, expected nothing" in ended.stderr
    assert Registry(store).current() == other
