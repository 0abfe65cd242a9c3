"""The version that executors rank with: a folder that all of them see, also if the store is in an object store."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import mkdtemp

from recsys.artifacts.bundle import verify_bundle
from recsys.artifacts.files import protect
from recsys.pipeline_config import PipelineConfig
from recsys.spark.executors import make_folder
from recsys.storage import storage_errors

_PREFIX = "version-"


def is_copied(config: PipelineConfig) -> bool:
    """Whether executors get a copy of the version in `compute.scratch`.

    The driver has a version of an object store in the mirror in its workspace, which may be on its own disk alone.
    The scratch folder is shared in any case; if it is in the workspace, the mirror is as well.
    """
    scratch = config.compute.scratch_in(config.workspace)
    return not isinstance(config.publish.store, Path) and not scratch.is_relative_to(config.workspace)


@contextmanager
def shared_version(config: PipelineConfig, folder: Path) -> Iterator[Path]:
    """The folder of a version for executors: `folder` itself, or a verified copy, removed at the end.

    Executors download nothing and need no credentials of the object store. Whoever may read the scratch folder may
    read the copy, and nobody but its owner write to it, because it decides what is recommended. Raises StorageError
    if the copy cannot be written, ArtifactError if it is not whole.
    """
    if not is_copied(config):
        yield folder
        return
    scratch = config.compute.scratch_in(config.workspace)
    with storage_errors(scratch, doing="while the version was copied for executors"):
        make_folder(scratch)
        for left in scratch.glob(f"{_PREFIX}*"):
            _remove(left)
        place = Path(mkdtemp(prefix=_PREFIX, dir=scratch))
        try:
            copy = Path(shutil.copytree(folder, place / folder.name))
            verify_bundle(copy)
            protect(place, like=scratch)  # executors may be other users
            yield copy
        finally:
            _remove(place)


def _remove(place: Path) -> None:
    for path in (place, *place.rglob("*")):
        if path.is_dir() and not path.is_symlink():
            path.chmod(0o700)  # folders of versions are read-only
    shutil.rmtree(place, ignore_errors=True)
