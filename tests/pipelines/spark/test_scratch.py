"""Scratch folders: empty at the start of a step, gone after it, and named if they cannot be made."""

from pathlib import Path

import pytest

from pipelines.spark.scratch import remove_leftovers, scratch_of
from recsys.errors import StorageError
from recsys.pipeline_config import PipelineConfig, load_config


def with_scratch(shop: Path, folder: Path) -> PipelineConfig:
    return load_config(shop, overrides={"compute.engine": "spark", "compute.scratch": str(folder)})


def own(config: PipelineConfig) -> Path:
    return config.compute.scratch_in(config.workspace)


def test_a_step_has_an_empty_folder_of_its_own_and_nothing_stays(shop: Path, tmp_path: Path) -> None:
    config = with_scratch(shop, tmp_path)
    with scratch_of("evaluate", config) as one, scratch_of("evaluate", config) as other:
        assert one != other and [*one.iterdir()] == [*other.iterdir()] == []
        (one / "part").write_text("x")
    assert [*own(config).iterdir()] == []


def test_what_killed_runs_left_is_removed_but_for_what_train_goes_on_from(shop: Path, tmp_path: Path) -> None:
    config = with_scratch(shop, tmp_path)
    for name in ("prepare-1f", "evaluate", "export-2/parts", "train/fit", "theirs"):
        (own(config) / name).mkdir(parents=True)
    (own(config) / ".look-0123-4-5").write_bytes(b"")
    (tmp_path / "prepare-of-somebody").mkdir()
    remove_leftovers(config)
    assert {path.name for path in own(config).iterdir()} == {"train", "theirs"}
    assert (tmp_path / "prepare-of-somebody").exists()


def test_jobs_that_name_one_scratch_folder_share_nothing(shop: Path, tmp_path: Path) -> None:
    one = with_scratch(shop, tmp_path)
    other = one.model_copy(update={"workspace": one.workspace.parent / "other" / one.workspace.name})
    assert own(one).parent == own(other).parent == tmp_path
    assert own(one) != own(other)


@pytest.mark.parametrize("mode", [0o777, 0o2770])
def test_whoever_may_enter_the_folder_above_may_enter_that_of_a_step(shop: Path, tmp_path: Path, mode: int) -> None:
    (tmp_path / "scratch").mkdir()
    (tmp_path / "scratch").chmod(mode)
    with scratch_of("prepare", with_scratch(shop, tmp_path / "scratch")) as folder:
        assert [path.stat().st_mode & 0o2777 for path in (folder, folder.parent)] == [mode, mode]


def test_a_scratch_folder_that_cannot_be_made_is_named(shop: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    with (
        pytest.raises(StorageError, match=r"/file.*while the scratch folder was made"),
        scratch_of("evaluate", with_scratch(shop, tmp_path / "file")),
    ):
        pass
