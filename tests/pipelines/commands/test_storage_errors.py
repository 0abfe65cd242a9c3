"""A disk that refuses to be written is a message with the folder and exit code 2, wherever it happens in a night."""

import resource
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from recsys.artifacts.registry import Registry


@contextmanager
def files_of_at_most(size: int) -> Iterator[None]:
    """The system refuses to make any file longer than `size` bytes, as a full disk would."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    bytecode, sys.dont_write_bytecode = sys.dont_write_bytecode, True  # Python keeps a half-written file of it
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        sys.dont_write_bytecode = bytecode


@pytest.fixture(scope="module")
def ready(recsys: Any, written: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop on which the whole job has run, whose steps can run again; the path of its configuration."""
    folder = shutil.copytree(written[0], tmp_path_factory.mktemp("ready") / "shop")
    assert recsys("run", folder / "pipeline.toml").returncode == 0
    return Path(folder / "pipeline.toml")


@pytest.mark.parametrize(
    ("step", "size", "doing"),
    [
        ("prepare", 2_000, "refused rows were written"),
        ("prepare", 50_000, "prepare wrote its output"),
        ("evaluate", 5_000, "evaluate wrote its output"),
        ("train", 5_000, "train wrote its output"),
        ("index", 3_000, "index wrote its output"),
    ],
)
def test_a_step_that_cannot_write_says_so(recsys: Any, ready: Path, step: str, size: int, doing: str) -> None:
    work, before = ready.parent / "work", Registry(ready.parent / "store").current()
    with files_of_at_most(size):
        result = recsys("run", ready, "--from", step)
    assert result.returncode == 2
    assert f"error: {work}" in result.stderr
    assert f"while {doing} (" in result.stderr
    assert "the job needs about 1 MiB in the workspace" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(work.glob(".*.new")) == []
    assert (work / "quarantine.jsonl").exists() == (size > 2_000)
    assert Registry(ready.parent / "store").current() == before


def test_a_report_that_cannot_be_written_says_so(recsys: Any, ready: Path) -> None:
    before = {path.name for path in (ready.parent / "work").glob("*report*")}
    with files_of_at_most(1_000):
        result = recsys("publish", ready)
    assert result.returncode == 2
    assert "while publish wrote the report" in result.stderr
    assert {path.name for path in (ready.parent / "work").glob("*report*")} == before


def test_a_page_that_cannot_be_written_leaves_the_old_one(recsys: Any, ready: Path, tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    out.write_text("old")
    with files_of_at_most(1_000):
        result = recsys("report", "--store", ready.parent / "store", "--out", out)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: --out {out}: cannot be written: ")
    assert [path.read_text() for path in tmp_path.iterdir()] == ["old"]


def test_a_search_that_cannot_be_kept_says_so(recsys: Any, ready: Path) -> None:
    with files_of_at_most(2_000):
        result = recsys("tune", ready, "--trials", 2)
    assert result.returncode == 2
    assert f"error: {ready.parent / 'work'}: " in result.stderr
    assert "while tune " in result.stderr


@pytest.mark.parametrize("key", ["workspace", "publish.store"])
@pytest.mark.parametrize("place", ["a file", "below a file"])
def test_a_folder_that_cannot_be_is_named_before_anything_is_read(
    recsys: Any, ready: Path, tmp_path: Path, key: str, place: str
) -> None:
    file = tmp_path / "taken"
    file.touch()
    folder = file if place == "a file" else file / "folder"
    result = recsys("run", ready, "--set", f'{key}="{folder}"')
    assert result.returncode == 2
    assert f"{key}: {folder} cannot be written: " in result.stderr
    assert "read" not in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("models", "--store", "STORE"),
        ("rollback", "--store", "STORE"),
        ("prune", "--store", "STORE", "--keep", "1"),
        ("recommend", "--store", "STORE", "--user", "u"),
        ("report", "--store", "STORE"),
        ("run", "FOLDER"),
        ("doctor", "FOLDER"),
        ("tune", "FOLDER"),
    ],
)
def test_a_file_for_a_folder_and_a_folder_for_a_file(recsys: Any, tmp_path: Path, arguments: tuple[str, ...]) -> None:
    (tmp_path / "STORE").touch()
    (tmp_path / "FOLDER").mkdir()
    result = recsys(*arguments, cwd=tmp_path)
    assert result.returncode == 2
    assert result.stderr.startswith("error: ")
    assert arguments[-1] in result.stderr or "STORE" in result.stderr


def test_an_output_that_is_full_is_no_traceback(ready: Path) -> None:
    with Path("/dev/full").open("w") as full:
        command = [sys.executable, "-m", "pipelines", "models", "--store", str(ready.parent / "store")]
        result = subprocess.run(command, stdout=full, stderr=subprocess.PIPE, text=True, check=False)
    assert result.returncode == 2
    assert result.stderr == "error: the output: No space left on device\n"


@pytest.mark.parametrize("name", ["lists.csv", "lists.jsonl", "lists.parquet"])
def test_an_export_that_cannot_be_written_leaves_nothing(recsys: Any, ready: Path, name: str) -> None:
    store, out = ready.parent / "store", ready.parent / "exports" / name
    out.parent.mkdir(exist_ok=True)
    with files_of_at_most(1_000):
        result = recsys("export", "--store", store, "--out", out)
    assert result.returncode == 2
    *_, last = result.stderr.splitlines()  # the last lists may be made before it is known that none can be written
    assert last.startswith(f"error: {out}: ")
    assert list(out.parent.iterdir()) == []


def test_what_a_killed_run_left_is_removed(recsys: Any, ready: Path) -> None:
    left = ready.parent / "work" / ".index.new"
    left.mkdir()
    (left / "half.npy").write_bytes(b"half")
    assert recsys("publish", ready).returncode == 0
    assert not left.exists()
