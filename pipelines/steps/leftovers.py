"""What stopped steps leave in a workspace and in a store, and its removal."""

import logging
import shutil
from contextlib import suppress
from pathlib import Path

from recsys.artifacts.lock import POINTER_LOCK, exclusive
from recsys.artifacts.staging import remove_staging
from recsys.errors import ArtifactError

WORKSPACE_LOCK = ".lock"
"""The workspace's file that is locked while a job runs in it."""

_UNFINISHED = ".*.new"

log = logging.getLogger(__name__)


def remove_unfinished(workspace: Path) -> None:
    """Remove the outputs that steps had not finished. The caller holds the lock of the workspace."""
    for path in workspace.glob(_UNFINISHED):
        log.warning("removing %s, left by a run that was stopped", path)
        shutil.rmtree(path, ignore_errors=True)


def remove_leftovers(workspace: Path | None, store: Path | None) -> None:
    """Remove what a job left that has ended, unless another one uses the workspace or the store by now."""
    with suppress(ArtifactError, OSError):
        if workspace is not None and workspace.is_dir():
            with exclusive(workspace / WORKSPACE_LOCK, doing="removing leftovers"):
                remove_unfinished(workspace)
                _remove_files(workspace)
    with suppress(ArtifactError, OSError):
        if store is not None and store.is_dir():
            remove_staging(store)
            with exclusive(store / POINTER_LOCK, doing="removing leftovers"):
                for path in store.glob(_UNFINISHED):
                    path.unlink(missing_ok=True)


def _remove_files(workspace: Path) -> None:
    """Files that would have replaced others: of the kept rows, and of a search."""
    for path in [*workspace.glob(f"*/{_UNFINISHED}"), *workspace.glob(f"tune/*/{_UNFINISHED}")]:
        path.unlink(missing_ok=True)
