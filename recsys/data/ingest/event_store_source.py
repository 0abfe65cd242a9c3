"""EventStoreSource: the events that a service was sent, as rows of a log."""

import hashlib
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from recsys.address import Address, is_address
from recsys.config import LogConfig
from recsys.data.ingest.source import EVENT, ITEM, TIMESTAMP, USER, VALUE, Batches, Columns, Parse, RawBatch
from recsys.data.ingest.sql_source import SqlSource
from recsys.databases.database import Database
from recsys.databases.statements import Rows
from recsys.errors import ConfigError
from recsys.progress import Progress, silent

logger = logging.getLogger(__name__)

_NAMES = {USER: "user_id", ITEM: "item_id", TIMESTAMP: "happened_at", EVENT: "event", VALUE: "value"}
"""Columns of `_QUERY`, by the keys of `[log]`."""

_QUERY = """\
SELECT COALESCE(e.user_id, m.user_id, '') AS user_id, e.item_id AS item_id, e.timestamp AS happened_at,
COALESCE(e.event, {kind}) AS event, e.value AS value
FROM events e LEFT JOIN merges m ON m.session_id = e.session_id"""


@dataclass(frozen=True, eq=False)
class EventStoreSource:
    """The events in the event store of a service (`recsys serve --events`), in the order in which they were kept.

    Events of a session that was merged with a user are the user's. Those of other visitors have no user: they are
    ignored, whatever `log.anonymous` says. An event without a kind is of the lightest kind. Raises as `SqlSource`.

    `events`: its rows; None if the service has not made the store yet, which then has none.
    """

    events: SqlSource | None
    place: str

    @staticmethod
    def of(log: LogConfig, address: Address) -> "EventStoreSource":
        """The store at `address`. Raises ConfigError if it is neither a path nor the URL of a database."""
        found = _database_of(address)
        database = Database(found, log.connect_timeout, log.statement_timeout, "log.events")
        if not _is_made(database):
            logger.warning("log.events: %s has no events yet; nothing is read from it", address)
            return EventStoreSource(None, str(address))
        rows = Rows(query=_QUERY.format(kind=_quoted(_lightest(log))))
        return EventStoreSource(SqlSource(database, rows, _own(Columns.of(log))), str(address))

    @property
    def description(self) -> str:
        """Where it is."""
        return f"events of {self.place}"

    @property
    def names(self) -> tuple[str, ...]:
        """What it is, the same on every machine."""
        return ("events of the service",)

    def fingerprint(self) -> str:
        """See `SqlSource.fingerprint`."""
        return hashlib.sha256().hexdigest() if self.events is None else self.events.fingerprint()

    def estimate_rows(self) -> int:
        """See `SqlSource.estimate_rows`."""
        return 0 if self.events is None else self.events.estimate_rows()

    def size_in_memory(self) -> int:
        """See `SqlSource.size_in_memory`."""
        return 0 if self.events is None else self.events.size_in_memory()

    def block_bytes_in_memory(self) -> float:
        """See `SqlSource.block_bytes_in_memory`."""
        return 0.0 if self.events is None else self.events.block_bytes_in_memory()

    def marks(self) -> Mapping[str, str]:
        """None: a store that is written to all day has always changed since it was read."""
        return {}

    def check(self, columns: Columns) -> None:
        """See `SqlSource.check`."""
        if self.events is not None:
            self.events.check(_own(columns))

    def batches(self, columns: Columns, *, progress: Progress = silent) -> Batches:
        """Its rows; `columns` says which are read, and their names do not count."""
        if self.events is not None:
            for parse in self.events.batches(_own(columns), progress=progress):
                yield partial(self._parsed, parse)

    def _parsed(self, parse: Parse) -> RawBatch:
        batch = parse()
        rows = _with_times(batch.rows)
        return replace(batch, origin=self.description, rows=rows, skip_anonymous=True)


def _own(columns: Columns) -> Columns:
    return Columns(columns.section, {key: _NAMES[key] for key in columns.names}, columns.keep)


def _with_times(rows: pa.RecordBatch) -> pa.RecordBatch:
    """The rows with their seconds as times, so that no unit has to be known."""
    if TIMESTAMP not in rows.schema.names:
        return rows
    at = rows.schema.get_field_index(TIMESTAMP)
    seconds = np.asarray(rows.column(at).cast(pa.float64()).to_numpy(zero_copy_only=False))
    times = pa.array(np.floor(seconds).astype(np.int64), pa.int64()).cast(pa.timestamp("s", "UTC"))
    return rows.set_column(at, TIMESTAMP, pc.cast(times, pa.timestamp("s", "UTC")))


def _database_of(address: Address) -> Address:
    """The address of the database; a path, also one that a variable holds, is a file of SQLite."""
    written = address.written
    if written.startswith("${") and (value := os.environ.get(written[2:-1], "")) and not is_address(value):
        written = str(Path(value).absolute())
    if not is_address(written):
        return Address(f"sqlite:///{written}")
    if (scheme := address.scheme) not in ("sqlite", "postgresql", "postgres"):
        raise ConfigError(f"log.events: {address}: events are kept in SQLite or PostgreSQL, not in {scheme}")
    return address


def _is_made(database: Database) -> bool:
    """Whether a service has made its tables."""
    if database.kind == "sqlite" and not Path(database.address.resolved().partition(":///")[2]).exists():
        return False
    with database.session() as session:
        return {"events", "merges"} <= {name.rpartition(".")[2] for name in session.tables()}


def _lightest(log: LogConfig) -> str:
    """The kind of events that name none: the lightest one, as in lists."""
    weights = log.weighed_kinds
    return min(weights, key=weights.__getitem__, default="event")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
