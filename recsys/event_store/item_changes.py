"""ItemChanges: what was told of items since the last catalogue, of items that no version has yet and of others."""

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from recsys.errors import PostedFullError
from recsys.event_store.database import Database, Transaction
from recsys.event_store.schema import Schema

FILE_NAME = "new-items.sqlite"
"""The file in the store's folder, unless the settings name an event store or another file."""

MAX_POSTED = 10_000
"""The most posted items."""

KEPT_SECONDS = 30 * 86_400.0
"""What a catalogue has superseded is kept this long, so that it counts again after a rollback to an older version."""

SCHEMA = Schema(
    "item_changes",
    (
        (
            "CREATE TABLE item_changes (item_id TEXT PRIMARY KEY, seq BIGINT NOT NULL, posted BIGINT NOT NULL,"
            " removed BIGINT NOT NULL, last_at DOUBLE PRECISION NOT NULL, told TEXT NOT NULL)",
            "CREATE INDEX item_changes_by_seq ON item_changes (seq)",
            "CREATE INDEX item_changes_by_time ON item_changes (last_at)",
            "CREATE TABLE item_change_count (one BIGINT PRIMARY KEY, n BIGINT NOT NULL)",
            "INSERT INTO item_change_count VALUES (1, 0)",
            "CREATE TABLE item_changes_taken_over (source TEXT PRIMARY KEY)",
        ),
    ),
)

_AT_ONCE = 500  # parameters of one statement
_COLUMNS = "item_id, seq, posted, removed, last_at, told"
_PUT = (
    f"INSERT INTO item_changes ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (item_id) DO UPDATE SET"
    " seq = excluded.seq, posted = excluded.posted, removed = excluded.removed, last_at = excluded.last_at,"
    " told = excluded.told"
)
_POSTED = "SELECT item_id FROM item_changes WHERE posted = 1 AND removed = 0"


@dataclass(frozen=True)
class Told:
    """A value, None if it was removed, and when it came: seconds since 1970."""

    value: object
    at: float


@dataclass(frozen=True)
class ItemChange:
    """What was told of one item, by attribute; the title is "title".

    `seq`: the number of its last change. `posted`: whether it is to be listed although no version has it.
    `removed`: whether it was taken back.
    """

    item_id: str
    seq: int
    posted: bool
    removed: bool
    told: Mapping[str, Told]

    def since(self, at: float) -> dict[str, object]:
        """The values that came after `at`."""
        return {name: told.value for name, told in self.told.items() if told.at > at}


class ItemChanges:
    """Durable: a change that was made survives a crash. Any number of threads and processes may use one database.

    `path`: the file of a SQLite database that need not exist until the first change; a file of an earlier release is
    taken over. `clock`: seconds since 1970. Every method raises EventStoreError.
    """

    def __init__(
        self,
        database: Database,
        *,
        path: Path | None = None,
        most: int = MAX_POSTED,
        clock: Callable[[], float] = time.time,
    ) -> None:
        database.require(SCHEMA)
        self._database, self._path, self._most, self._clock = database, path, most, clock
        self._is_current = path is None

    @property
    def n_lost(self) -> int:
        """See `Database.n_lost`: the number of a change of before then may be one of another database."""
        return self._database.n_lost

    def n(self) -> int:
        """The number of the last change; 0 if there was none."""
        if self._is_absent():
            return 0
        self._take_over_old_tables()
        with self._database.read() as queries:
            return _count(queries)

    def since(self, n: int) -> tuple[int, list[ItemChange]]:
        """The number of the last change, and the items that changed after change `n`, in one state."""
        if self._is_absent():
            return 0, []
        self._take_over_old_tables()
        with self._database.read() as queries:
            rows = queries.fetch(f"SELECT {_COLUMNS} FROM item_changes WHERE seq > ? ORDER BY seq, item_id", (n,))
            return _count(queries), [_change(*row) for row in rows]

    def post(
        self,
        item_id: str,
        values: Mapping[str, object],
        *,
        is_taken_over: Callable[[str], bool] = lambda item_id: False,
    ) -> None:
        """Keep an item that no version has, in the place of one with the same id. Raises PostedFullError.

        `is_taken_over`: whether the version that serves has an item; if there are too many, such ones are removed.
        """
        now = self._clock()
        with self._changing() as (statements, seq):
            self._make_room(statements, item_id, is_taken_over, seq)
            told = {name: Told(value, now) for name, value in values.items() if value is not None}
            statements.execute(_PUT, _row(ItemChange(item_id, seq, True, False, told), now))

    def update(self, values: Mapping[str, Mapping[str, object]], *, superseded_before: float = 0.0) -> None:
        """Keep new values of items, all or none; None removes a value.

        `superseded_before`: when the catalogue of the version that serves was read; what is older, and older than 30
        days, is forgotten.
        """
        now = self._clock()
        with self._changing() as (statements, seq):
            oldest = min(superseded_before, now - KEPT_SECONDS)
            statements.execute("DELETE FROM item_changes WHERE last_at < ? AND posted = 0", (oldest,))
            known = dict(_known(statements, list(values)))
            rows = [_row(_with_values(known.get(each), each, new, seq, now), now) for each, new in values.items()]
            statements.executemany(_PUT, rows)

    def remove(self, item_id: str) -> bool:
        """Take back a posted item; whether it was there."""
        if self._is_absent():
            return False
        with self._changing() as (statements, seq):
            found = dict(_known(statements, [item_id])).get(item_id)
            if found is None or found.removed or not found.posted:
                return False
            statements.execute(_PUT, _row(ItemChange(item_id, seq, False, True, {}), self._clock()))
            return True

    def take_over(self, other: "ItemChanges", source: str) -> None:
        """Take what `other` has, once for every `source`; of an item that both have, what is here stays."""
        _, changes = other.since(0)
        if not changes:
            return
        with self._changing() as (statements, seq):
            taken = "INSERT INTO item_changes_taken_over VALUES (?) ON CONFLICT (source) DO NOTHING"
            if statements.execute(taken, (source,)):
                kept = f"INSERT INTO item_changes ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
                last = [max((told.at for told in it.told.values()), default=0.0) for it in changes]
                moved = (ItemChange(it.item_id, seq, it.posted, it.removed, it.told) for it in changes)
                statements.executemany(kept, [_row(*each) for each in zip(moved, last, strict=True)])

    def _is_absent(self) -> bool:
        return self._path is not None and not self._path.exists()

    def _changing(self) -> "_Change":
        self._take_over_old_tables()
        return _Change(self._database)

    def _make_room(
        self, statements: Transaction, item_id: str, is_taken_over: Callable[[str], bool], seq: int
    ) -> None:
        others = [other for (other,) in statements.fetch(f"{_POSTED} AND item_id <> ?", (item_id,))]
        if len(others) < self._most:
            return
        leaving = [other for other in others if is_taken_over(other)]
        if not leaving:
            raise PostedFullError
        now = self._clock()
        rows = [_row(ItemChange(other, seq, False, True, {}), now) for other in leaving]
        statements.executemany(_PUT, rows)

    def _take_over_old_tables(self) -> None:
        """Take the items of a file that an earlier release wrote; its tables are dropped."""
        if self._is_current or self._is_absent():
            return
        with self._database.read() as queries:
            is_old = _has_old_tables(queries)
        if is_old:
            with _Change(self._database) as (statements, seq):
                if _has_old_tables(statements):
                    _move(statements, seq)
        self._is_current = True


class _Change:
    """A transaction with the number of the change that it is."""

    def __init__(self, database: Database) -> None:
        self._transaction = database.transaction()

    def __enter__(self) -> tuple[Transaction, int]:
        statements = self._transaction.__enter__()
        statements.execute("UPDATE item_change_count SET n = n + 1")
        return statements, _count(statements)

    def __exit__(self, *error: object) -> bool | None:
        return self._transaction.__exit__(*error)  # type: ignore[arg-type]


def _count(queries: Transaction) -> int:
    return int(queries.fetch("SELECT n FROM item_change_count")[0][0])


def _known(queries: Transaction, item_ids: Sequence[str]) -> Iterator[tuple[str, ItemChange]]:
    for start in range(0, len(item_ids), _AT_ONCE):
        some = item_ids[start : start + _AT_ONCE]
        marks = ", ".join("?" * len(some))
        for row in queries.fetch(f"SELECT {_COLUMNS} FROM item_changes WHERE item_id IN ({marks})", some):
            yield row[0], _change(*row)


def _with_values(
    known: ItemChange | None, item_id: str, values: Mapping[str, object], seq: int, now: float
) -> ItemChange:
    before = {} if known is None else known.told
    told = {**before, **{name: Told(value, now) for name, value in values.items()}}
    return ItemChange(item_id, seq, known is not None and known.posted, False, told)


def _row(change: ItemChange, last_at: float) -> tuple[object, ...]:
    told = {name: [told.value, told.at] for name, told in change.told.items()}
    text = json.dumps(told, separators=(",", ":"))
    return change.item_id, change.seq, int(change.posted), int(change.removed), last_at, text


def _change(item_id: str, seq: int, posted: int, removed: int, last_at: float, told: str) -> ItemChange:
    values = {name: Told(value, float(at)) for name, (value, at) in json.loads(told).items()}
    return ItemChange(item_id, int(seq), bool(posted), bool(removed), values)


def _has_old_tables(queries: Transaction) -> bool:
    names = "SELECT name FROM sqlite_master WHERE type = 'table' AND name IN ('items', 'changes')"
    return len(queries.fetch(names)) == 2


def _move(statements: Transaction, seq: int) -> None:
    for item_id, title, attributes, at in statements.fetch("SELECT item_id, title, attributes, posted_at FROM items"):
        values = {"title": title, **json.loads(attributes)}
        told = {name: Told(value, at) for name, value in values.items() if value is not None}
        statements.execute(_PUT, _row(ItemChange(item_id, seq, True, False, told), at))
    for table in ("items", "changes"):
        statements.execute(f"DROP TABLE {table}")


def pending(changes: Iterable[ItemChange], *, read_at: float, has_item: Callable[[str], bool]) -> tuple[int, int]:
    """How many posted items a version lacks, and of how many of its items values are newer than its catalogue.

    `read_at`: when that was read, seconds since 1970.
    """
    there = [change for change in changes if not change.removed]
    lacking = sum(change.posted and not has_item(change.item_id) for change in there)
    newer = sum(bool(change.since(read_at)) and has_item(change.item_id) for change in there)
    return lacking, newer
