"""Accepted rows of a log as Parquet with external ids, a file per piece of the log; what became of the others."""

import pickle
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from recsys.data.ingest.assembly import check_kinds
from recsys.data.ingest.row_checks import CheckedRows, RowFacts
from recsys.spark.whole_files import appearing

USER, ITEM, TIME, VALUE, EVENT, PIECE, AT = "user", "item", "time", "value", "event", "piece", "at"

_CODED = pa.dictionary(pa.int32(), pa.binary())
_ROWS = "rows"


@dataclass(frozen=True)
class PieceReport:
    """What became of the rows of one piece, batch by batch. `kinds`: of its accepted events.

    `n_batches`: 0 if the piece holds no rows. `warnings`: what was logged. `digest`: sha256 of a whole file that was
    copied, empty if it was not. `torn`: whether the piece ends within a record, so that nothing of it counts.
    `hashes`: of the rows of a piece of a table, as `RowHashes.sums`.
    """

    facts: tuple[RowFacts, ...]
    kinds: tuple[bytes, ...]
    n_batches: int
    warnings: tuple[str, ...] = ()
    digest: str = ""
    torn: bool = False
    hashes: tuple[int, int, int] = (0, 0, 0)

    @property
    def n_accepted(self) -> int:
        """Accepted rows."""
        return sum(each.n_accepted for each in self.facts)

    @property
    def n_rows(self) -> int:
        """All rows."""
        return sum(each.n_rows for each in self.facts)


@dataclass(frozen=True)
class ReadPieces:
    """`accepted`: rows by piece, in the order of the log. `kinds`: of accepted events, sorted by their bytes."""

    accepted: tuple[int, ...] = ()
    kinds: tuple[str, ...] = ()

    @staticmethod
    def of(accepted: Iterable[int], kinds: Iterable[bytes]) -> "ReadPieces":
        """Of pieces whose kinds of event come in any order."""
        return ReadPieces(tuple(accepted), tuple(kind.decode() for kind in sorted(kinds)))

    def and_then(self, other: "ReadPieces") -> "ReadPieces":
        """These pieces, and after them those of another source."""
        kinds = {kind.encode() for kind in (*self.kinds, *other.kinds)}
        return ReadPieces.of((*self.accepted, *other.accepted), kinds)


@dataclass(frozen=True)
class AcceptedRows:
    """The rows and reports of all pieces in `folder`. `keep`: refused rows of a piece whose content is kept."""

    folder: Path
    keep: int

    @property
    def table(self) -> Path:
        """The folder of the Parquet files."""
        return self.folder / _ROWS

    def _rows_of(self, piece: int) -> Path:
        return self.table / f"{piece:08d}.parquet"

    def write(self, piece: int, batches: Iterable[CheckedRows]) -> PieceReport:
        """Write the accepted rows of one piece. Its report is not written."""
        facts, kinds, left, done = list[RowFacts](), set[bytes](), self.keep, 0
        with appearing(self._rows_of(piece)) as fresh:
            writer = None
            for rows in batches:
                facts.append(replace(rows.facts, refused=rows.refused.brief(left)))
                left = max(0, left - len(rows.refused.rows))
                kinds |= _kinds(rows)
                batch = _columns(rows, piece, done)
                done += batch.num_rows
                writer = writer or pq.ParquetWriter(fresh, batch.schema, compression="zstd", compression_level=1)
                writer.write_batch(batch)
            if writer is None:
                pq.write_table(pa.table({AT: pa.array([], pa.int64())}), fresh)
            else:
                writer.close()
        if not done:
            self._rows_of(piece).unlink(missing_ok=True)
        return PieceReport(tuple(facts), tuple(sorted(kinds)), len(facts))

    def report(self, piece: int, report: PieceReport) -> None:
        """Write the report of one piece."""
        with appearing(self.folder / "reports" / f"{piece:08d}") as fresh:
            fresh.write_bytes(pickle.dumps(report))

    def reported(self, piece: int) -> PieceReport:
        """The report of one piece, which this job wrote."""
        content = (self.folder / "reports" / f"{piece:08d}").read_bytes()
        found: PieceReport = pickle.loads(content)  # noqa: S301 (a task of this job wrote it)
        return found


def _kinds(rows: CheckedRows) -> set[bytes]:
    """The kinds of event in a batch. Raises DataError if they are too many."""
    if rows.events is None:
        return set()
    check_kinds(rows.events)
    return set(rows.events.dictionary.take(pc.unique(rows.events.indices)).to_pylist())


def _columns(rows: CheckedRows, piece: int, before: int) -> pa.RecordBatch:
    """The accepted rows of a batch of a piece, of which `before` rows are written."""
    columns: dict[str, Any] = {USER: rows.users.cast(_CODED), ITEM: rows.items.cast(_CODED)}
    if rows.times is not None:
        columns[TIME] = rows.times
    if rows.values is not None:
        columns[VALUE] = rows.values
    if rows.events is not None:
        columns[EVENT] = rows.events.cast(_CODED)
    n_rows = len(rows.users)
    columns[PIECE] = np.full(n_rows, piece, np.int32)
    columns[AT] = np.arange(before, before + n_rows, dtype=np.int64)
    return pa.RecordBatch.from_pydict(columns)
