"""JoinedSource: the rows of a log, and after them those of an event store, as one log."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from recsys.data.ingest.input import Input
from recsys.data.ingest.source import Batches, Columns
from recsys.progress import Progress, silent


@dataclass(frozen=True, eq=False)
class JoinedSource:
    """The rows of `parts`, one part after the other. Its methods raise as those of the parts."""

    parts: tuple[Input, ...]

    @property
    def description(self) -> str:
        """Those of the parts."""
        return " and ".join(part.description for part in self.parts)

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the parts."""
        return tuple(name for part in self.parts for name in part.names)

    def fingerprint(self) -> str:
        """sha256, in hexadecimal, of those of the parts."""
        return hashlib.sha256("/".join(part.fingerprint() for part in self.parts).encode()).hexdigest()

    def estimate_rows(self) -> int:
        """The sum of those of the parts."""
        return sum(part.estimate_rows() for part in self.parts)

    def size_in_memory(self) -> int:
        """The sum of those of the parts."""
        return sum(part.size_in_memory() for part in self.parts)

    def block_bytes_in_memory(self) -> float:
        """The largest of those of the parts."""
        return max(part.block_bytes_in_memory() for part in self.parts)

    def marks(self) -> Mapping[str, str]:
        """Those of all parts."""
        return {name: mark for part in self.parts for name, mark in part.marks().items()}

    def check(self, columns: Columns) -> None:
        """Look at the start of each part."""
        for part in self.parts:
            part.check(columns)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """The rows of each part. `progress` begins anew with each."""
        for part in self.parts:
            yield from part.batches(columns, progress=progress)
