"""Status: how a replica follows its object store, in a file that all workers of a machine read."""

import os
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from recsys.plain_files import read_plain

_FILE = "replica.json"


class Status(BaseModel):
    """How the replica stands; frozen. Times are UTC seconds, None if it has not happened.

    `looked_at`: when the last look ended. `followed_at`: when the last look ended after which all that the store
    names was here. `fault`: why the last look failed; it names no path, because clients see it. `since`: when looks
    began to fail. `stage`: what is downloaded now, and how far it is.
    """

    model_config = ConfigDict(frozen=True)

    looked_at: float | None = None
    followed_at: float | None = None
    fault: str | None = None
    since: float | None = None
    n_failures: int = Field(0, description="looks that failed, of all processes")
    n_downloads: int = Field(0, description="versions that were downloaded")
    downloaded_bytes: int = Field(0, description="of these versions")
    n_damaged: int = Field(0, description="versions of the cache that were damaged, and downloaded again")
    cached_versions: int = 0
    cached_bytes: int = 0
    stage: str | None = None


class StatusFile:
    """The status in a cache's `folder`. `clock`: UTC seconds."""

    def __init__(self, folder: Path, clock: Callable[[], float]) -> None:
        self._folder, self._clock = folder, clock

    @property
    def now(self) -> Status:
        """As any process wrote it last; that of a replica that has not looked yet if there is none."""
        with suppress(OSError, ValidationError):
            return Status.model_validate_json(read_plain(self._folder / _FILE))
        return Status()

    def change(self, **changes: object) -> None:
        """Replace some of it, looked at now. A disk that refuses leaves the old one: it is worth no error."""
        after = self.now.model_copy(update={"looked_at": self._clock(), **changes})
        temporary = self._folder / f".{_FILE}.{os.getpid()}"
        try:
            temporary.write_text(after.model_dump_json(), encoding="utf-8")
            temporary.replace(self._folder / _FILE)
        except OSError:
            temporary.unlink(missing_ok=True)
