"""The version that executors rank with, of a store on a disk and of one in an object store."""

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.spark.engine import paths_read
from pipelines.spark.shared_version import shared_version
from recsys.address import Address
from recsys.artifacts.files import list_files
from recsys.errors import ArtifactError
from recsys.pipeline_config import PipelineConfig
from recsys.remote import RemotePath
from torture.versions import seal

Configured = Callable[..., PipelineConfig]


@pytest.fixture
def version(tmp_path: Path) -> Path:
    """A version in the mirror of a workspace."""
    mirror = tmp_path / "work" / "mirror"
    return mirror / "versions" / seal(mirror, seed=1, approximate=False)


@pytest.fixture
def configured(finished: tuple[PipelineConfig, object, object], tmp_path: Path) -> Configured:
    """configured(scratch): a job on Spark whose store is in an object store."""
    config = finished[0]

    def made(scratch: Path | None) -> PipelineConfig:
        publish = config.publish.model_copy(update={"store": RemotePath(Address("s3://shop-data/recs"))})
        compute = config.compute.model_copy(update={"engine": "spark", "scratch": scratch})
        return config.model_copy(update={"workspace": tmp_path / "work", "publish": publish, "compute": compute})

    return made


def test_executors_get_a_whole_copy_in_the_scratch_folder_that_goes_afterwards(
    version: Path, configured: Configured, tmp_path: Path
) -> None:
    config = configured(tmp_path / "shared")
    with shared_version(config, version) as folder:
        assert folder.is_relative_to(tmp_path / "shared") and {*list_files(folder)} == {*list_files(version)}
    assert not [*(tmp_path / "shared").glob("*/*")]
    assert paths_read(config, ("export",)) == []


@pytest.mark.parametrize(
    ("above", "folders", "files"), [(0o700, 0o700, 0o400), (0o750, 0o750, 0o440), (0o777, 0o755, 0o444)]
)
def test_whoever_may_read_the_scratch_folder_may_read_the_copy(
    version: Path, configured: Configured, tmp_path: Path, above: int, folders: int, files: int
) -> None:
    (tmp_path / "shared").mkdir()
    (tmp_path / "shared").chmod(above)
    with shared_version(configured(tmp_path / "shared"), version) as folder:
        copied = [folder.parent, folder, *folder.rglob("*")]
        modes = {(path.is_dir(), path.stat().st_mode & 0o777) for path in copied}
        assert modes == {(True, folders), (False, files)}
        assert folder.parent.parent.stat().st_mode & 0o777 == above
    assert not [*(tmp_path / "shared").glob("*/*")]


def test_a_copy_that_is_not_whole_is_told_and_removed(version: Path, configured: Configured, tmp_path: Path) -> None:
    damaged = next(path for path in sorted(version.rglob("*.npy")) if path.stat().st_size)
    damaged.chmod(0o600)
    content = damaged.read_bytes()
    damaged.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    with pytest.raises(ArtifactError), shared_version(configured(tmp_path / "shared"), version):
        pass
    assert not [*(tmp_path / "shared").glob("*/*")]


def test_in_a_workspace_that_is_shared_nothing_is_copied(version: Path, configured: Configured) -> None:
    config = configured(None)
    with shared_version(config, version) as folder:
        assert folder == version
    assert paths_read(config, ("export",)) == [("workspace", config.workspace / "mirror")]
