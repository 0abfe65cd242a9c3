"""A survey of a log: its rows, users and items counted in one pass, in memory that does not grow with the log.

Distinct ids are counted by the k smallest of their hashes (Bar-Yossef et al., "Counting Distinct Elements in a Data
Stream", 2002; standard error 1 / sqrt(k)). A sample of the users, and one of the items, keeps
all their events, so that pairs, degrees and splits can be estimated for the whole log.
"""

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from recsys.config import LogSchema
from recsys.data.arrays import Seconds
from recsys.data.ingest.readers import read_batches
from recsys.data.ingest.row_checks import CheckedRows
from recsys.data.ingest.source import Source
from recsys.errors import DataError
from recsys.progress import Progress, silent

Hashes = NDArray[np.uint64]
"""One hash per id, uniform over all uint64."""

_HASH_RANGE = 2.0**64
_LARGEST_FLOAT_HASH = _HASH_RANGE - 2048  # 2**64 itself does not fit uint64


@dataclass(frozen=True, eq=False)
class Sample:
    """Every event of a random `share` of the users (or items), called owners.

    `owner`, `other`: uint64 (n,), hashes of user and item, or of item and user.
    `time`: int64 (n,), UTC seconds; zeros if the log has no times.
    """

    owner: Hashes
    other: Hashes
    time: Seconds
    share: float


@dataclass(frozen=True, eq=False)
class Survey:
    """What a log holds. `rows`: read, `accepted`: not refused. `users`, `items`: distinct ids of accepted rows.

    `user_id_bytes`, `item_id_bytes`: mean length. `by_user`, `by_item`: samples of owners with all their events.
    `whole`: whether the whole log was read; else rows, users and items are those of its first part. `half`: (rows,
    users, items) of the first half of what was read.
    """

    rows: int
    accepted: int
    users: int
    items: int
    user_id_bytes: float
    item_id_bytes: float
    by_user: Sample
    by_item: Sample
    whole: bool = True
    half: tuple[int, int, int] = (0, 0, 0)


def survey_log(
    source: Source,
    log: LogSchema,
    *,
    max_rows: int | None = None,
    progress: Progress = silent,
    kept_hashes: int = 1 << 15,
    sampled_rows: int = 1 << 18,
) -> Survey:
    """Read `source`, up to about `max_rows` of its rows (in whole batches), and keep only the samples.

    `kept_hashes`: k of the count of distinct ids. `sampled_rows`: a sample has up to this many rows.
    Raises DataError as `read_log` does, but not for the share of refused rows, which are only counted.
    """
    users, items = _Distinct(kept_hashes), _Distinct(kept_hashes)
    tally = _Tally(users, items, _Sampling(sampled_rows), _Sampling(sampled_rows))
    counts_so_far, whole = [], True
    for rows in read_batches(source, log, progress=progress):
        if max_rows is not None and tally.rows >= max_rows:
            whole = False
            break
        tally.add(rows)
        counts_so_far.append((tally.rows, tally.users.count(), tally.items.count()))
    if not tally.accepted:
        raise DataError(f"{source.description}: none of the {tally.rows:,} rows read is accepted")
    half = next(counts for counts in counts_so_far if 2 * counts[0] >= tally.rows)
    return tally.survey(whole=whole, half=half)


@dataclass(eq=False)
class _Distinct:
    """Estimates the number of distinct hashes from the `n_kept` smallest."""

    n_kept: int
    kept: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))

    def add(self, hashes: Hashes) -> None:
        if len(self.kept) == self.n_kept:
            hashes = hashes[hashes < self.kept[-1]]
        self.kept = np.unique(np.concatenate([self.kept, hashes]))[: self.n_kept]

    def count(self) -> int:
        n = len(self.kept)
        return n if n < self.n_kept else round((n - 1) * _HASH_RANGE / float(self.kept[-1]))


@dataclass(eq=False)
class _Sampling:
    """Keeps the events of owners whose hash is below a bound, which is halved when there are too many."""

    max_rows: int
    below: float = _HASH_RANGE
    rows: list[tuple[Hashes, Hashes, Seconds]] = field(default_factory=list)
    n_rows: int = 0

    def add(self, owner: Hashes, other: Hashes, time: Seconds) -> None:
        self._keep([(owner, other, time)])
        while self.n_rows > self.max_rows:
            self.below /= 2
            rows, self.rows, self.n_rows = self.rows, [], 0
            self._keep(rows)

    def _keep(self, parts: list[tuple[Hashes, Hashes, Seconds]]) -> None:
        for part in parts:
            small = part[0] < np.uint64(min(self.below, _LARGEST_FLOAT_HASH))
            self.rows.append((part[0][small], part[1][small], part[2][small]))
            self.n_rows += int(np.count_nonzero(small))

    def sample(self) -> Sample:
        owner, other, time = (np.concatenate(columns) for columns in zip(*self.rows, strict=True))
        return Sample(owner, other, time, self.below / _HASH_RANGE)


@dataclass(eq=False)
class _Tally:
    users: _Distinct
    items: _Distinct
    by_user: _Sampling
    by_item: _Sampling
    rows: int = 0
    accepted: int = 0
    lengths: list[tuple[float, float]] = field(default_factory=list)

    def add(self, rows: CheckedRows) -> None:
        self.rows += rows.n_rows
        self.accepted += len(rows.users)
        if not len(rows.users):
            return
        user, item = _hashes(rows.users, self.users), _hashes(rows.items, self.items)
        time = np.zeros(len(user), np.int64) if rows.times is None else rows.times
        self.by_user.add(user, item, time)
        self.by_item.add(item, user, time)
        self.lengths.append((_mean_length(rows.users), _mean_length(rows.items)))

    def survey(self, *, whole: bool, half: tuple[int, int, int]) -> Survey:
        user_bytes, item_bytes = np.mean(self.lengths, axis=0).tolist()
        return Survey(
            rows=self.rows,
            accepted=self.accepted,
            users=self.users.count(),
            items=self.items.count(),
            user_id_bytes=user_bytes,
            item_id_bytes=item_bytes,
            by_user=self.by_user.sample(),
            by_item=self.by_item.sample(),
            whole=whole,
            half=half,
        )


def _hashes(ids: pa.DictionaryArray, distinct: _Distinct) -> Hashes:
    """uint64 (n,) of ids (n,); those that occur in rows are added to `distinct`."""
    hashes: Hashes = pd.util.hash_array(ids.dictionary.to_numpy(zero_copy_only=False), categorize=False)
    codes = ids.indices.to_numpy()
    used = np.bincount(codes, minlength=len(hashes)) > 0
    distinct.add(hashes[used])
    by_row: Hashes = hashes[codes]
    return by_row


def _mean_length(ids: pa.DictionaryArray) -> float:
    return float(pc.mean(pc.binary_length(ids.dictionary)).as_py())
