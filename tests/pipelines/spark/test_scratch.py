"""Scratch folders: empty at the start of a step, gone after it, and named if they cannot be made."""

from pathlib import Path

import pytest

from pipelines.spark.scratch import scratch_of
from recsys.errors import StorageError
from recsys.pipeline_config import PipelineConfig, load_config


def with_scratch(shop: Path, folder: Path) -> PipelineConfig:
    return load_config(shop, overrides={"compute.engine": "spark", "compute.scratch": str(folder)})


def test_what_a_killed_run_left_is_removed_and_nothing_stays(shop: Path, tmp_path: Path) -> None:
    left = tmp_path / "scratch" / "evaluate" / "left"
    left.mkdir(parents=True)
    with scratch_of("evaluate", with_scratch(shop, tmp_path / "scratch")) as folder:
        assert folder == left.parent and [*folder.iterdir()] == []
        (folder / "part").write_text("x")
    assert [*(tmp_path / "scratch").iterdir()] == []


def test_a_scratch_folder_that_cannot_be_made_is_named(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(StorageError, match=r"/file/evaluate.*while the scratch folder was made"),
        scratch_of("evaluate", with_scratch(shop, tmp_path / "file")),
    ):
        pass
