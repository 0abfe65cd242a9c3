"""Input: a source that a configuration names."""

from collections.abc import Mapping
from typing import Protocol

from recsys.data.ingest.source import Columns, Source


class Input(Source, Protocol):
    """A source that a configuration names: it can be looked at before it is read, and again afterwards."""

    @property
    def names(self) -> tuple[str, ...]:
        """What it reads, for the report: names of files, or of a table. The same on every machine."""

    def check(self, columns: Columns) -> None:
        """Look at the start of it. Raises DataError if it lacks a column, or cannot be read."""

    def size_in_memory(self) -> int:
        """About how many bytes its rows have. Raises as `fingerprint`."""

    def block_bytes_in_memory(self) -> float:
        """About how many bytes the largest of its batches has once it is parsed."""

    def marks(self) -> Mapping[str, str]:
        """A mark per part of it (a file, a table), by the part's name: another mark if the part has changed.

        Cheap; the rows are not read. Empty if nothing tells.
        """
