"""One job of `torture.children`, which tries many."""

import sys
from pathlib import Path
from typing import Any

import pytest

from torture.children import Case, Endings, attempt


@pytest.mark.skipif(sys.platform != "linux", reason="jobs are watched on Linux")
def test_a_job_that_crashes_leaves_nothing_and_the_next_one_works(
    finished: tuple[Any, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(Path(__file__).parents[3])  # where the program of the campaign is
    found = Endings()
    attempt(Case("segv", "prepare", 0.05), finished[0].workspace.parent, tmp_path / "case", found, onwards=False)
    assert (found.n_tried, found.failures) == (1, [])
