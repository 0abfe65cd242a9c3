"""KeptRows: the rows of a log as its database sent them, in one Parquet file in the workspace."""

import json
import os
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from recsys.data.ingest.lower_bound import LowerBound
from recsys.storage import storage_errors

_META = b"recsys"
_GROUP_ROWS = 1 << 18


@dataclass(frozen=True)
class KeptFacts:
    """What a copy says of itself. `settings`: a hash of what was read and how. `newest`: UTC seconds of its
    newest event. `digest`: the fingerprint of its rows.
    """

    settings: str
    newest: int
    rows: int
    digest: str


@dataclass(frozen=True)
class KeptRows:
    """The copy at `path`; a new one replaces it as a whole, and only when it is complete."""

    path: Path

    def facts(self) -> KeptFacts | None:
        """None if there is no copy, or it cannot be read."""
        with suppress(OSError, pa.ArrowException, ValueError, KeyError, TypeError):
            return KeptFacts(**json.loads(pq.read_metadata(self.path).metadata[_META]))
        return None

    def damage(self) -> str:
        """What is wrong inside of it, after a read of all its pages; empty if nothing is."""
        try:
            with pq.ParquetFile(self.path, page_checksum_verification=True) as file:
                for _ in file.iter_batches(_GROUP_ROWS):
                    pass
        except (pa.ArrowException, OSError) as error:
            return " ".join(str(error).split())
        return ""

    def before(self, bound: LowerBound, key: str) -> Iterator[pa.RecordBatch]:
        """The rows before `bound`, by the times in the column `key`, in their order.

        Raises pa.ArrowException or OSError if it is damaged.
        """
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(_GROUP_ROWS):
                kept = batch.filter(bound.keeps(batch.column(key)))
                if len(kept):
                    yield kept

    def writing(self, doing: str = "while the kept copy of the log was written") -> "NewRows":
        """A new copy to fill."""
        return NewRows(self.path, doing)


class NewRows:
    """A copy that is being written; nothing is seen of it until `commit`."""

    def __init__(self, path: Path, doing: str) -> None:
        self._path, self._doing = path, doing
        self._fresh = path.with_name(f".{path.name}.new")
        self._writer: pq.ParquetWriter | None = None

    def add(self, batch: pa.RecordBatch) -> None:
        """Add rows; every batch has the same columns. Raises StorageError if the disk is full."""
        with storage_errors(self._path.parent, doing=self._doing):
            if self._writer is None:
                self._path.parent.mkdir(parents=True, exist_ok=True)
                self._writer = pq.ParquetWriter(
                    self._fresh, batch.schema, compression="zstd", write_page_checksum=True
                )
            self._writer.write_batch(batch, row_group_size=_GROUP_ROWS)

    def commit(self, facts: KeptFacts) -> None:
        """Let it replace the old copy, after it is on the disk."""
        if self._writer is None:
            return
        with storage_errors(self._path.parent, doing=self._doing):
            self._writer.add_key_value_metadata({_META.decode(): json.dumps(asdict(facts))})
            self._writer.close()
            with self._fresh.open("rb") as file:
                os.fsync(file.fileno())
            self._fresh.replace(self._path)

    def discard(self) -> None:
        """Remove what is written, if it was not committed."""
        if self._writer is not None:
            with suppress(OSError, pa.ArrowException):
                self._writer.close()
        self._fresh.unlink(missing_ok=True)
