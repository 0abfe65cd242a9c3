"""Row checks: raw rows become accepted ones; a row that fails several checks is refused for the first."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pyarrow as pa

from recsys.config import NULL_IDS, LogSchema
from recsys.data.arrays import Floats, Seconds
from recsys.data.ingest.column_types import plain_columns
from recsys.data.ingest.columns import as_text, is_blank, mask, numbers, with_decimal_point
from recsys.data.ingest.external_ids import known_kinds, read_ids, read_kinds
from recsys.data.ingest.ignored_rows import IgnoredRows, anonymous_rows, either, forgotten_rows, ignored_kinds
from recsys.data.ingest.log_ends import Ends, ends_of
from recsys.data.ingest.refusals import NO_FAULT, Faults, Reason, Refusals, first_fault, marked
from recsys.data.ingest.source import EVENT, ITEM, ONE_LINE_PER_ROW, TIMESTAMP, USER, VALUE, LineCounts, RawBatch
from recsys.data.ingest.timestamps import AUTO, TimeForm, detect_unit, read_times
from recsys.forgotten import NOBODY, Forgotten


@dataclass(frozen=True)
class Rules:
    """The rules by which rows are accepted.

    `form`: of the time column; its unit is AUTO until it is detected. `latest`: the latest accepted time, UTC
    seconds. `net`: negative values are accepted. `kinds`: the known kinds of event, ignored ones among them, None for
    all. `keep`: the content of up to this many refused rows per batch is kept. `ignored`: the kinds of event that are
    left out.
    `skip_anonymous`: rows without a user are left out, not refused. `null_ids`: spellings of a missing id.
    `forgotten`: the rows of these users are left out, those of after that excepted.
    """

    form: TimeForm
    latest: int
    net: bool
    kinds: frozenset[bytes] | None
    keep: int
    ignored: frozenset[bytes] = frozenset()
    skip_anonymous: bool = False
    null_ids: tuple[str, ...] = NULL_IDS
    forgotten: Forgotten = NOBODY

    @property
    def unit(self) -> str:
        """Of the time column."""
        return self.form.unit

    @staticmethod
    def of(log: LogSchema, *, now: int, forgotten: Forgotten = NOBODY) -> "Rules":
        """The rules that a log's configuration sets. `now`: UTC seconds; `log.max_future` counts from it."""
        ignored = log.ignored_kinds
        known = {*log.event_weights, *ignored} if log.event_weights else ()
        return Rules(
            form=TimeForm.of(log),
            latest=now + log.max_future,
            net=log.non_positive == "net",
            kinds=frozenset(kind.encode() for kind in known) or None,
            keep=log.quarantine_rows,
            ignored=frozenset(kind.encode() for kind in ignored),
            skip_anonymous=log.anonymous == "ignore",
            null_ids=log.null_ids,
            forgotten=forgotten,
        )

    def with_unit_of(self, batch: RawBatch) -> "Rules":
        """The same rules with the unit of time detected in `batch`, if any."""
        unit = detect_unit(_time_column(plain_columns(batch))) if self.unit == AUTO else None
        return self if unit is None else replace(self, form=replace(self.form, unit=unit))


@dataclass(frozen=True, eq=False)
class RowFacts:
    """What became of the rows of a batch, without the accepted rows: all that the account of a log needs."""

    n_rows: int
    n_accepted: int
    refused: Refusals
    lines: LineCounts
    ignored: Mapping[str, int]
    ends: Ends | None
    notes: Mapping[str, int]


@dataclass(frozen=True, eq=False)
class CheckedRows:
    """The accepted rows of a batch, the refused ones, and the number of those that are ignored.

    `users`, `items`, `events`: (n,) of int32 and binary. `times`: int64 (n,), UTC seconds. `values`: float32 (n,).
    None for a column that the log does not have. `lines`: of a text, those without a row of their own. `ignored`:
    rows by kind of event, ANONYMOUS or FORGOTTEN_ROWS. `ends`: the accepted rows with the oldest and the newest time.
    `notes`: all rows that are read otherwise than they are written, by a sentence.
    """

    users: pa.DictionaryArray
    items: pa.DictionaryArray
    times: Seconds | None
    values: Floats | None
    events: pa.DictionaryArray | None
    refused: Refusals
    lines: LineCounts = ONE_LINE_PER_ROW
    ignored: Mapping[str, int] = field(default_factory=dict)
    ends: Ends | None = None
    notes: Mapping[str, int] = field(default_factory=dict)

    @property
    def facts(self) -> RowFacts:
        """What became of the rows."""
        return RowFacts(self.n_rows, len(self.users), self.refused, self.lines, self.ignored, self.ends, self.notes)

    @property
    def n_rows(self) -> int:
        """All rows of the batch."""
        return len(self.users) + len(self.refused) + sum(self.ignored.values())


def check_rows(rows: RawBatch, rules: Rules) -> CheckedRows:
    """Read and check the columns of a batch. A row that is ignored is not refused, whatever else is wrong with it."""
    rows = plain_columns(rows)
    users = read_ids(rows.column(USER), Reason.MISSING_USER, null_ids=rules.null_ids)
    items = read_ids(rows.column(ITEM), Reason.MISSING_ITEM, null_ids=rules.null_ids)
    of_times = Counter[str]()
    times, time_faults = _times(rows, rules, of_times)
    values, value_faults = _values(rows, rules)
    events, event_faults = _events(rows, rules)
    faults = first_fault(rows.faults, users.faults, items.faults, time_faults, value_faults, event_faults)
    ignored = either(
        forgotten_rows(users.ids, times, time_faults, rules.forgotten),
        _ignored(rows, rules, users=users.faults, events=(events, event_faults)),
    )
    notes = {**users.notes, **items.notes, **of_times}
    if ignored is not None:
        faults = ignored.refused_among(faults)
    if faults is None:
        refused, ends = _refused(rows, None, keep=0), ends_of(times, rows.positions, rows.origin)
        return CheckedRows(users.ids, items.ids, times, values, events, refused, rows.lines, ends=ends, notes=notes)
    good = faults == NO_FAULT if ignored is None else (faults == NO_FAULT) & ~ignored.rows
    kept_times = None if times is None else times[good]
    return CheckedRows(
        users=users.ids.filter(pa.array(good)),
        items=items.ids.filter(pa.array(good)),
        times=kept_times,
        values=None if values is None else values[good],
        events=None if events is None else events.filter(pa.array(good)),
        refused=_refused(rows, faults, keep=rules.keep),
        lines=rows.lines,
        ignored={} if ignored is None else ignored.counts,
        ends=ends_of(kept_times, rows.positions[good], rows.origin),
        notes=notes,
    )


def _times(rows: RawBatch, rules: Rules, notes: Counter[str]) -> tuple[Seconds | None, Faults | None]:
    if (column := _time_column(rows)) is None:
        return None, None
    return read_times(column, rules.form, latest=rules.latest, notes=notes)


def _time_column(rows: RawBatch) -> pa.Array | None:
    column = rows.column(TIMESTAMP)
    return None if column is None else with_decimal_point(column, rows.decimal)


def _values(rows: RawBatch, rules: Rules) -> tuple[Floats | None, Faults | None]:
    if (column := rows.column(VALUE)) is None:
        return None, None
    return read_values(with_decimal_point(column, rows.decimal, no_points=True), net=rules.net)


def _events(rows: RawBatch, rules: Rules) -> tuple[pa.DictionaryArray | None, Faults | None]:
    if (column := rows.column(EVENT)) is None:
        return None, None
    events, faults = read_kinds(column, Reason.MISSING_EVENT)
    unknown = None if rules.kinds is None else known_kinds(events, rules.kinds)
    return events, first_fault(faults, unknown)


def _ignored(
    rows: RawBatch, rules: Rules, *, users: Faults | None, events: tuple[pa.DictionaryArray | None, Faults | None]
) -> IgnoredRows | None:
    unwanted = ignored_kinds(*events, rules.ignored)
    return (
        either(unwanted, anonymous_rows(users, rows.faults))
        if rules.skip_anonymous or rows.skip_anonymous
        else unwanted
    )


def _refused(rows: RawBatch, faults: Faults | None, *, keep: int) -> Refusals:
    at = np.empty(0, np.int64) if faults is None else np.flatnonzero(faults != NO_FAULT)
    found = np.empty(0, np.uint8) if faults is None else faults[at]
    return Refusals(rows.origin, rows.positions[at], found, tuple(rows.shown(row) for row in at[:keep].tolist()))


def read_values(column: pa.Array, *, net: bool) -> tuple[Floats, Faults | None]:
    """float32 (n,), and the faults of the rows. `column`: (n,) of text or numbers.

    Values must be finite and above zero as float32; with `net` also below zero.
    """
    text = as_text(column)
    missing = mask(column.is_null() if text is None else is_blank(text))
    parsed = _parsed(column, text)
    known = mask(parsed.is_valid())
    with np.errstate(over="ignore", under="ignore"):
        values = np.where(known, parsed.to_numpy(zero_copy_only=False), 1).astype(np.float32)
    return values, marked(
        (missing, Reason.MISSING_VALUE),
        (~known & ~missing, Reason.BAD_VALUE),
        (~np.isfinite(values), Reason.NON_FINITE_VALUE),
        (values == 0 if net else values <= 0, Reason.NON_POSITIVE_VALUE),
    )


def _parsed(column: pa.Array, text: pa.StringArray | None) -> pa.DoubleArray:
    """float64 (n,), null if a value is not a number."""
    if text is not None:
        return numbers(text)
    kind = column.type
    numeric = pa.types.is_integer(kind) or pa.types.is_floating(kind) or pa.types.is_decimal(kind)
    if numeric or pa.types.is_boolean(kind):
        return column.cast(pa.float64(), safe=False)
    return pa.nulls(len(column), pa.float64())
