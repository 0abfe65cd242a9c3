"""A disk that refuses to be written is a message with the folder and exit code 2, wherever it happens in a night."""

import resource
import shutil
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
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.fixture(scope="module")
def ready(recsys: Any, written: Any, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A shop on which the whole job has run, whose steps can run again; the path of its configuration."""
    folder = shutil.copytree(written[0], tmp_path_factory.mktemp("ready") / "shop")
    assert recsys("run", folder / "pipeline.toml").returncode == 0
    return Path(folder / "pipeline.toml")


@pytest.mark.parametrize(
    ("step", "size"),
    [("prepare", 2_000), ("prepare", 20_000), ("evaluate", 5_000), ("train", 5_000), ("index", 3_000)],
)
def test_a_step_that_cannot_write_says_so(recsys: Any, ready: Path, step: str, size: int) -> None:
    work, before = ready.parent / "work", Registry(ready.parent / "store").current()
    with files_of_at_most(size):
        result = recsys("run", ready, "--from", step)
    assert result.returncode == 2
    assert f"error: {work}: " in result.stderr
    assert f"while {step} wrote its output (" in result.stderr
    assert "the job needs about 1 MiB in the workspace" in result.stderr
    assert "Traceback" not in result.stderr
    assert list(work.glob(".*.new")) == []
    assert Registry(ready.parent / "store").current() == before


def test_a_report_that_cannot_be_written_says_so(recsys: Any, ready: Path) -> None:
    with files_of_at_most(1_000):
        result = recsys("publish", ready)
    assert result.returncode == 2
    assert "while publish wrote the report" in result.stderr


@pytest.mark.parametrize("name", ["lists.csv", "lists.jsonl", "lists.parquet"])
def test_an_export_that_cannot_be_written_leaves_nothing(recsys: Any, ready: Path, name: str) -> None:
    store, out = ready.parent / "store", ready.parent / "exports" / name
    out.parent.mkdir(exist_ok=True)
    with files_of_at_most(1_000):
        result = recsys("export", "--store", store, "--out", out)
    assert result.returncode == 2
    assert result.stderr.startswith(f"error: {out}: ")
    assert list(out.parent.iterdir()) == []


def test_what_a_killed_run_left_is_removed(recsys: Any, ready: Path) -> None:
    left = ready.parent / "work" / ".index.new"
    left.mkdir()
    (left / "half.npy").write_bytes(b"half")
    assert recsys("publish", ready).returncode == 0
    assert not left.exists()
