"""The folders that versions are sealed in, and what stopped jobs left of them."""

import logging
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from recsys.artifacts.lock import exclusive
from recsys.errors import ArtifactError

VERSIONS = "versions"
"""The store's folder of versions."""

SEAL_LOCK = ".seal.lock"
"""The store's file that is locked while a version is sealed."""

_STAGING = ".staging-"

logger = logging.getLogger(__name__)


def remove_staging(store: Path) -> None:
    """Remove what sealing left if its job was stopped. Nothing happens while another process seals a version."""
    with suppress(ArtifactError), exclusive(store / SEAL_LOCK, doing="removing leftovers"):
        _remove_stale(store / VERSIONS)


@contextmanager
def staging(versions: Path) -> Iterator[Path]:
    """An empty folder to fill, removed at the end unless renamed. The caller holds the lock, so others are stale."""
    _remove_stale(versions)
    folder = versions / f"{_STAGING}{os.getpid()}"
    folder.mkdir(mode=0o700)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_stale(versions: Path) -> None:
    for stale in versions.glob(f"{_STAGING}*"):
        logger.warning("removing %s, left by a job that was stopped", stale)
        shutil.rmtree(stale)
