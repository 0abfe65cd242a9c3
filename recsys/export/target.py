"""Target: a place that lists are written to."""

from contextlib import AbstractContextManager, suppress
from typing import Protocol

import pyarrow as pa


class ListWriter(Protocol):
    """Takes lists while a target is open."""

    def write(self, lists: pa.Table) -> None:
        """Take the whole lists of some users, as rows of `recsys.export.SCHEMA`; texts may be dictionary-encoded."""


class Target(Protocol):
    """A place for lists. What it holds serves until new lists are complete, and then they replace it at once."""

    def __str__(self) -> str:
        """As it is shown; never a secret."""

    @property
    def lasts(self) -> bool:
        """Whether lists stay until others replace them."""

    def check(self) -> None:
        """Raise ConfigError for what the address alone shows to be wrong. Nothing is connected to."""

    def scrub(self) -> None:
        """Take what was replaced off the place, as far as it can be done at once. Raises ExportError."""

    def open(self, version: str) -> AbstractContextManager[ListWriter]:
        """Check the place, then take the lists of `version`.

        They replace the old ones if the block ends well; if it does not, or the process is killed, the old ones stay,
        and what is half written is never seen. Raises ConfigError, ExportError and StorageError.
        """


class _NothingToWriteError(Exception):
    """Ends a trial."""


def try_target(target: Target) -> None:
    """Begin to write lists, and give up at once: what the target holds stays. Raises what `Target.open` raises."""
    with suppress(_NothingToWriteError), target.open("trial"):
        raise _NothingToWriteError
