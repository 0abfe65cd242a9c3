"""HOLD: the version that keeps serving whatever the nights publish, one JSON document in the store."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from recsys.artifacts.files import replace_durably, sync
from recsys.artifacts.manifest import VersionName
from recsys.errors import ArtifactError
from recsys.plain_files import read_plain
from recsys.validation_errors import explained


class Hold(BaseModel):
    """`version` is held since `at` (UTC, ISO 8601), for `reason`, which may be empty."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    version: VersionName
    at: str
    reason: str = ""

    @staticmethod
    def of(version: str, reason: str = "") -> "Hold":
        """A hold that begins now."""
        return Hold(version=version, at=datetime.now(UTC).isoformat(timespec="seconds"), reason=reason)


def read_hold(path: Path) -> Hold | None:
    """The hold in the file `path`, None if there is no file. Raises ArtifactError if it is damaged."""
    try:
        return Hold.model_validate_json(read_plain(path))
    except FileNotFoundError:
        return None
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    except ValidationError as error:
        raise _unreadable(path, explained(error)) from error


def _unreadable(path: Path, why: str) -> ArtifactError:
    return ArtifactError(
        f"{path}: cannot be read, so no version is published; `recsys rollback --release` removes it: {why}"
    )


def write_hold(path: Path, hold: Hold) -> None:
    """Write the file in one rename, durably. Raises ArtifactError if the disk refuses."""
    try:
        replace_durably(path, hold.model_dump_json().encode() + b"\n")
    except OSError as error:
        raise ArtifactError(f"{path}: could not be written: {error.strerror}") from error


@contextmanager
def replaced_hold(path: Path, hold: Hold | None) -> Iterator[None]:
    """Write the file before the block; if the block raises, the file is as before. None: nothing is written.

    Raises ArtifactError if the disk refuses.
    """
    if hold is None:
        yield
        return
    before = read_plain(path) if path.exists() else None
    write_hold(path, hold)
    try:
        yield
    except ArtifactError:
        if before is None:
            remove_hold(path)
        else:
            replace_durably(path, before)
        raise


def remove_hold(path: Path) -> None:
    """Remove the file, durably; nothing happens if there is none. Raises ArtifactError if the disk refuses."""
    try:
        path.unlink(missing_ok=True)
        sync(path.parent)
    except OSError as error:
        raise ArtifactError(f"{path}: could not be removed: {error.strerror}") from error
