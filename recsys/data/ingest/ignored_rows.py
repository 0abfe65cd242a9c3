"""Ignored rows: rows that are known and not wanted, which is not the same as broken."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from recsys.data.arrays import Seconds
from recsys.data.ingest.refusals import NO_FAULT, Faults, Reason, fault
from recsys.forgotten import NEVER, Forgotten

ANONYMOUS = "anonymous"
"""Rows without a user are counted under this name, the others under their kind of event."""


FORGOTTEN_ROWS = "forgotten"
"""Rows of users who were forgotten, from before that."""


@dataclass(frozen=True, eq=False)
class IgnoredRows:
    """Rows that are left out.

    `rows`: bool (n,), which of a batch. `counts`: their number by kind, ANONYMOUS or FORGOTTEN_ROWS.
    """

    rows: NDArray[np.bool_]
    counts: Mapping[str, int]

    def refused_among(self, faults: Faults | None) -> Faults:
        """The faults of all rows, those of ignored rows forgiven."""
        return np.where(self.rows, NO_FAULT, NO_FAULT if faults is None else faults)


def ignored_kinds(
    events: pa.DictionaryArray | None, faults: Faults | None, kinds: frozenset[bytes]
) -> IgnoredRows | None:
    """The rows whose event is one of `kinds`; None if there are none.

    `events`: DictionaryArray (n,) as of `read_kinds`. `faults`: those of the column; a row without an event is not
    ignored.
    """
    if not kinds or events is None:
        return None
    names = events.dictionary.to_pylist()
    unwanted = np.array([name in kinds for name in names], np.bool_)
    if not unwanted.any():
        return None
    codes = events.indices.to_numpy()
    rows = unwanted[codes] & _sound(faults, len(codes))
    per_kind = np.bincount(codes[rows], minlength=len(names))
    counts = {names[at].decode(): int(per_kind[at]) for at in np.flatnonzero(per_kind)}
    return IgnoredRows(rows, counts) if counts else None


def anonymous_rows(users: Faults | None, parsed: Faults | None) -> IgnoredRows | None:
    """The rows without a user; None if there are none.

    `users`: faults of the users' column. `parsed`: faults found while parsing; such a row has no columns at all.
    """
    if users is None:
        return None
    rows = (users == fault(Reason.MISSING_USER)) & _sound(parsed, len(users))
    n_rows = int(np.count_nonzero(rows))
    return IgnoredRows(rows, {ANONYMOUS: n_rows}) if n_rows else None


def forgotten_rows(
    users: pa.DictionaryArray, times: Seconds | None, time_faults: Faults | None, forgotten: Forgotten
) -> IgnoredRows | None:
    """The rows of users up to when they were forgotten, and those whose time is not known; None if there are none.

    `users`: DictionaryArray (n,) as of `read_ids`. `times`: int64 (n,), UTC seconds, with their faults.
    """
    if not forgotten:
        return None
    until = forgotten.times(users.dictionary.to_pylist())
    if not (until > NEVER).any():
        return None
    of_row = until[users.indices.to_numpy()]
    rows = of_row > NEVER
    if times is not None:
        rows &= (times <= of_row) | ~_sound(time_faults, len(times))
    n_rows = int(np.count_nonzero(rows))
    return IgnoredRows(rows, {FORGOTTEN_ROWS: n_rows}) if n_rows else None


def either(first: IgnoredRows | None, second: IgnoredRows | None) -> IgnoredRows | None:
    """The rows of both; a row that is in both is counted by the first."""
    if first is None or second is None:
        return first or second
    only = second.rows & ~first.rows
    counts = dict(first.counts)
    for name in second.counts:
        counts[name] = counts.get(name, 0) + int(np.count_nonzero(only))
    return IgnoredRows(first.rows | only, counts)


def _sound(faults: Faults | None, n: int) -> NDArray[np.bool_]:
    return np.ones(n, np.bool_) if faults is None else faults == NO_FAULT
