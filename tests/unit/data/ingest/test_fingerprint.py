"""The fingerprint follows names and contents, and nothing else."""

import os
import shutil
from pathlib import Path

import pytest

from recsys.config import LogConfig
from recsys.data.ingest.fingerprint import fingerprint_log
from recsys.errors import DataError


def fingerprint(folder: Path) -> str:
    return fingerprint_log(LogConfig(paths=(folder / "**" / "*.csv",)))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "log" / "sub").mkdir(parents=True)
    (tmp_path / "log" / "a.csv").write_text("one")
    (tmp_path / "log" / "sub" / "b.csv").write_text("two")
    return tmp_path / "log"


def test_it_is_a_sha256_that_survives_a_move_and_a_touch(folder: Path) -> None:
    before = fingerprint(folder)
    moved = folder.parent / "elsewhere"
    shutil.copytree(folder, moved)
    os.utime(moved / "a.csv", (0, 0))
    assert fingerprint(moved) == before
    assert len(bytes.fromhex(before)) == 32


@pytest.mark.parametrize("change", ["content", "name", "swap", "more"])
def test_every_change_shows(folder: Path, change: str) -> None:
    before = fingerprint(folder)
    match change:
        case "content":
            (folder / "a.csv").write_text("One")
        case "name":
            (folder / "a.csv").rename(folder / "c.csv")
        case "swap":
            (folder / "a.csv").write_text("two")
            (folder / "sub" / "b.csv").write_text("one")
        case "more":
            (folder / "c.csv").write_text("three")
    assert fingerprint(folder) != before


def test_missing_files_are_an_error(folder: Path) -> None:
    with pytest.raises(DataError, match="no file matches"):
        fingerprint(folder / "sub" / "deeper")
