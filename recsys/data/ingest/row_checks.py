"""From raw rows to accepted ones: every column is read, every row checked, and refused for the first reason."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from recsys.config import LogConfig
from recsys.data.arrays import Floats, Seconds
from recsys.data.ingest.external_ids import code_ids, known_kinds
from recsys.data.ingest.raw_rows import EVENT, ITEM, TIMESTAMP, USER, VALUE, RawRows
from recsys.data.ingest.refusals import NO_FAULT, Faults, Reason, Refusals, first_fault
from recsys.data.ingest.timestamps import AUTO, ISO, detect_unit, read_times
from recsys.data.ingest.values import read_values


@dataclass(frozen=True)
class Rules:
    """What a row must be to be accepted.

    `unit` of the time column, AUTO as long as no block has told; `latest` time that is taken, UTC seconds;
    `net`: negative values are taken; `kinds` of events that are known, None for all; `keep`: refused rows of a block
    to show.
    """

    unit: str
    latest: int
    net: bool
    kinds: frozenset[bytes] | None
    keep: int

    @staticmethod
    def by(log: LogConfig, *, now: int) -> "Rules":
        """The rules that a log's configuration sets. `now`: UTC seconds, from which the future is reckoned."""
        kinds = frozenset(kind.encode() for kind in log.event_weights) or None
        unit = log.timestamp_unit if log.timestamp is not None else ISO
        return Rules(unit, now + log.max_future, log.non_positive == "net", kinds, log.quarantine_rows)

    def told_by(self, rows: RawRows) -> "Rules":
        """The same with the unit of time that `rows` tell, if they do."""
        unit = detect_unit(rows.columns[TIMESTAMP]) if self.unit == AUTO else None
        return self if unit is None else replace(self, unit=unit)


@dataclass(frozen=True, eq=False)
class CheckedRows:
    """The accepted rows of a block, and the refused.

    `users`, `items`, `events`: pyarrow DictionaryArray (n,) of int32 and binary. `times`: int64 (n,), UTC seconds.
    `values`: float32 (n,). None for a column that the log does not have.
    """

    users: Any
    items: Any
    times: Seconds | None
    values: Floats | None
    events: Any | None
    refused: Refusals


def check_rows(rows: RawRows, rules: Rules) -> CheckedRows:
    """Read and check the columns of a block."""
    users, user_faults = code_ids(rows.columns[USER], Reason.MISSING_USER)
    items, item_faults = code_ids(rows.columns[ITEM], Reason.MISSING_ITEM)
    times, time_faults = _times(rows, rules)
    values, value_faults = _values(rows, rules)
    events, event_faults = _events(rows, rules)
    faults = first_fault(rows.faults, user_faults, item_faults, time_faults, value_faults, event_faults)
    if faults is None:
        return CheckedRows(users, items, times, values, events, _refused(rows, None, keep=0))
    good = faults == NO_FAULT
    return CheckedRows(
        users=users.filter(pa.array(good)),
        items=items.filter(pa.array(good)),
        times=None if times is None else times[good],
        values=None if values is None else values[good],
        events=None if events is None else events.filter(pa.array(good)),
        refused=_refused(rows, faults, keep=rules.keep),
    )


def _times(rows: RawRows, rules: Rules) -> tuple[Seconds | None, Faults | None]:
    if TIMESTAMP not in rows.columns:
        return None, None
    return read_times(rows.columns[TIMESTAMP], rules.unit, latest=rules.latest)


def _values(rows: RawRows, rules: Rules) -> tuple[Floats | None, Faults | None]:
    return read_values(rows.columns[VALUE], net=rules.net) if VALUE in rows.columns else (None, None)


def _events(rows: RawRows, rules: Rules) -> tuple[Any | None, Faults | None]:
    if EVENT not in rows.columns:
        return None, None
    events, faults = code_ids(rows.columns[EVENT], Reason.MISSING_EVENT)
    unknown = None if rules.kinds is None else known_kinds(events, rules.kinds)
    return events, first_fault(faults, unknown)


def _refused(rows: RawRows, faults: Faults | None, *, keep: int) -> Refusals:
    at = np.empty(0, np.int64) if faults is None else np.flatnonzero(faults != NO_FAULT)
    struck = np.empty(0, np.uint8) if faults is None else faults[at]
    return Refusals(rows.source, rows.lines[at], struck, tuple(rows.shown(row) for row in at[:keep].tolist()))
