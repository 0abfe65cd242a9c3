"""IncrementalSource: the rows of a database, of which only the newest are fetched, and the others kept."""

import hashlib
import logging
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa

from recsys.config import LogConfig
from recsys.config.base import duration_text
from recsys.data.arrays import Seconds
from recsys.data.ingest.column_types import plain_columns
from recsys.data.ingest.external_ids import read_ids
from recsys.data.ingest.hashed_reads import HashedReads
from recsys.data.ingest.ignored_rows import forgotten_rows
from recsys.data.ingest.kept_rows import KeptFacts, KeptRows, NewRows
from recsys.data.ingest.lower_bound import LowerBound, TimeColumn
from recsys.data.ingest.refusals import Reason
from recsys.data.ingest.row_hashes import RowHashes
from recsys.data.ingest.source import TIMESTAMP, USER, Batches, Columns, RawBatch
from recsys.data.ingest.sql_source import SqlSource
from recsys.data.log_span import LogSpan
from recsys.databases.dialects import dialect_of
from recsys.databases.statements import Rows, quoted
from recsys.errors import DataError
from recsys.forgotten import NOBODY, Forgotten
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Increment:
    """What a read was put together from. `since`: UTC seconds from which on rows were fetched, None for all of them.

    `kept`: rows of the copy that stayed. `fetched`: rows that the database sent. `replaced`: rows of the copy that
    were fetched anew, or are gone. `why`: the reason if all rows were fetched.
    """

    since: int | None
    kept: int
    fetched: int
    replaced: int
    why: str = ""


@dataclass(eq=False)
class IncrementalSource:
    """The rows of `inner`: those of `kept` that are older than its newest event less `log.late`, and all newer ones.

    The same rows as `inner` has, and so the same fingerprint, as long as no older row of the database changes.
    `full`: all rows are fetched. `forgotten`: the rows of these users are handed on, to be counted, but they are
    neither kept nor part of the fingerprint. Its methods raise as those of `inner`.
    """

    inner: SqlSource
    log: LogConfig
    kept: KeptRows
    full: bool = False
    forgotten: Forgotten = NOBODY
    now: float = field(default_factory=time.time)
    increment: Increment | None = None
    _digest: str | None = None

    @staticmethod
    def of(
        inner: SqlSource, log: LogConfig, folder: Path, *, full: bool, forgotten: Forgotten = NOBODY
    ) -> "IncrementalSource":
        """The source whose copy is in `folder`."""
        return IncrementalSource(inner, log, KeptRows(folder / "log.parquet"), full, forgotten)

    @property
    def description(self) -> str:
        """That of the database."""
        return self.inner.description

    @property
    def names(self) -> tuple[str, ...]:
        """Those of the database."""
        return self.inner.names

    def fingerprint(self) -> str:
        """That of all rows, as the database alone would have; of the last complete read if there was one."""
        return self.inner.fingerprint() if self._digest is None else self._digest

    def estimate_rows(self) -> int:
        """As the database expects them."""
        return self.inner.estimate_rows()

    def size_in_memory(self) -> int:
        """Of all rows."""
        return self.inner.size_in_memory()

    def block_bytes_in_memory(self) -> float:
        """As of the database."""
        return self.inner.block_bytes_in_memory()

    def marks(self) -> Mapping[str, str]:
        """As of the database."""
        return self.inner.marks()

    def check(self, columns: Columns) -> None:
        """Look at the columns. Raises ConfigError too, if the column of times cannot be compared."""
        self.inner.check(columns)
        self._times(columns)

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """The kept rows, then the fetched ones; the copy is replaced when the last of them has been read."""
        column, settings = self._times(columns)
        bound, why = self._bound(column, settings)
        read = _Read(self.kept.writing(), column, self.log.null_ids, self.forgotten)
        try:
            if bound is not None:
                yield from self._kept_batches(read, bound)
            n_kept, fetched = read.n_rows, self._fetched(bound)
            for parse in fetched.batches(columns, progress=progress):
                batch = read.added(parse())
                yield partial(_as_it_is, replace(batch, origin=self.description))
            self._finish(read, settings, since=None if bound is None else bound.second, n_kept=n_kept, why=why)
        finally:
            read.new.discard()

    def _times(self, columns: Columns) -> tuple[TimeColumn, str]:
        """The column of times, and a hash of all that the rows of a copy depend on."""
        with self.inner.database.session() as session:
            found = self.inner.places(session, columns)
        times = found[TIMESTAMP]
        is_sqlite = self.inner.database.kind == "sqlite"
        column = TimeColumn(times.name, times.kind, self.log.timestamp_unit, is_sqlite)
        parts = [(key, each.name, str(each.kind)) for key, each in found.items()]
        told = repr((self.inner.database.name, self.inner.rows, parts, self.log.timestamp_unit))
        return column, hashlib.sha256(told.encode()).hexdigest()

    def _bound(self, column: TimeColumn, settings: str) -> tuple[LowerBound | None, str]:
        """From when on rows are fetched; None, with the reason, if all are."""
        facts = self.kept.facts()
        if self.full or facts is None:
            return None, "as asked for (--full)" if self.full else "there is no copy of an earlier night"
        if facts.settings != settings:
            return None, "what is read, or the type of a column, has changed since the copy was made"
        if damage := self.kept.damage():
            logger.warning(
                "%s: the kept copy of the log is damaged (%s); all rows are fetched", self.kept.path, damage
            )
            return None, "the copy is damaged"
        return LowerBound(column, facts.newest - self.log.late), ""

    def _fetched(self, bound: LowerBound | None) -> SqlSource:
        if bound is None:
            return self.inner
        quote = dialect_of(self.inner.database.kind).quote
        condition = bound.as_sql(quoted(bound.column.name, quote))
        query = f"SELECT * FROM {self.inner.rows.as_sql(quote)} WHERE {condition}"
        return replace(self.inner, rows=Rows(query=query), _reads=HashedReads())

    def _kept_batches(self, read: "_Read", bound: LowerBound) -> Iterator[partial[RawBatch]]:
        origin = f"the kept copy of {self.description}"
        try:
            for rows in self.kept.before(bound, TIMESTAMP):
                places = {key: at for at, key in enumerate(rows.schema.names)}
                batch = RawBatch.numbered(origin, rows, places, first=read.n_rows + 1)
                yield partial(_as_it_is, read.added(batch))
        except (pa.ArrowException, OSError) as error:
            raise DataError(
                f"{self.kept.path}: the kept copy of the log is damaged ({error}); "
                "`recsys run CONFIG --full` makes it anew"
            ) from error

    def _finish(self, read: "_Read", settings: str, *, since: int | None, n_kept: int, why: str) -> None:
        facts, self._digest = self.kept.facts(), read.hashes.digest()
        before = 0 if facts is None or since is None else facts.rows
        n_fetched = read.n_rows - n_kept
        self.increment = Increment(since, n_kept, n_fetched, max(0, before - n_kept), why)
        newest = read.newest(limit=int(self.now) + self.log.max_future)
        if newest is not None:
            read.new.commit(KeptFacts(settings, newest, read.n_written, self._digest))
        if since is None:
            logger.info("%s: all %d rows are fetched: %s", self.description, n_fetched, why)
        else:
            logger.info(
                "%s: %d rows kept, %d fetched; what came more than %s late is seen by `recsys run CONFIG --full`",
                self.description,
                n_kept,
                n_fetched,
                duration_text(self.log.late),
            )


class _Read:
    """Counts, hashes, and writes to the new copy, whatever is read."""

    def __init__(
        self, new: NewRows, column: TimeColumn, null_ids: tuple[str, ...] = (), forgotten: Forgotten = NOBODY
    ) -> None:
        self.new, self._column, self.hashes, self.n_rows, self.n_written = new, column, RowHashes(), 0, 0
        self._null_ids, self._forgotten = null_ids, forgotten
        self._seconds: list[np.ndarray[tuple[int], np.dtype[np.int64]]] = []

    def added(self, batch: RawBatch) -> RawBatch:
        """The batch, whose rows follow those before it."""
        positions = np.arange(self.n_rows + 1, self.n_rows + 1 + len(batch), dtype=np.int64)
        self.n_rows += len(batch)
        try:
            seconds = self._column.seconds(batch.rows.column(TIMESTAMP)).astype(np.int64)
            self._seconds.append(seconds)
        except pa.ArrowInvalid as error:
            raise DataError(
                f"{batch.origin}: column {self._column.name!r} (log.timestamp), "
                f"rows {positions[0]} to {positions[-1]}: "
                f"times that cannot be compared ({error}); mend them, or set log.incremental = false"
            ) from error
        kept = self._without_forgotten(batch, seconds)
        self.n_written += len(kept)
        self.hashes.add(kept)
        self.new.add(kept)
        return replace(batch, positions=positions)

    def _without_forgotten(self, batch: RawBatch, seconds: Seconds) -> pa.RecordBatch:
        if not self._forgotten:
            return batch.rows
        users = read_ids(plain_columns(batch).column(USER), Reason.MISSING_USER, null_ids=self._null_ids)
        found = forgotten_rows(users.ids, seconds, None, self._forgotten)
        return batch.rows if found is None else batch.rows.filter(pa.array(~found.rows))

    def newest(self, *, limit: int) -> int | None:
        """When the log ends, whatever a few clocks that were wrong say; up to `limit`, UTC seconds."""
        seconds = np.concatenate(self._seconds) if self._seconds else np.empty(0, np.int64)
        seconds = seconds[seconds <= limit]
        return LogSpan.of(seconds).last if len(seconds) else None


def _as_it_is(batch: RawBatch) -> RawBatch:
    return batch
