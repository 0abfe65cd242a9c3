"""A survey of a log: its rows, users and items counted in one pass, in memory that does not grow with the log.

Distinct ids are counted by the k smallest of their hashes (Bar-Yossef et al., "Counting Distinct Elements in a Data
Stream", 2002; standard error 1 / sqrt(k)). How events fall on users and items is kept for a sample of them, each
with every event of its own, so that pairs, degrees and cuts can be counted as on the whole log.
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

_ALL = 2.0**64


@dataclass(frozen=True, eq=False)
class Sample:
    """Every event of a random `share` of the users (or items), who are the owners.

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
    `whole`: whether all of the log was read; else rows, users and items are those of its first part. `half`: (rows,
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
    most_rows: int | None = None,
    progress: Progress = silent,
    kept_hashes: int = 1 << 15,
    sampled_rows: int = 1 << 18,
) -> Survey:
    """Read `source`, up to about `most_rows` of its rows (in whole batches), and keep no rows but the samples.

    `kept_hashes`: the k by which distinct ids are counted. `sampled_rows`: the most rows of a sample.
    Raises DataError as `read_log` does, but not for refused rows: they are counted, whatever their share.
    """
    tally, trail = (
        _Tally(_Distinct(kept_hashes), _Distinct(kept_hashes), _Sampling(sampled_rows), _Sampling(sampled_rows)),
        [],
    )
    whole = True
    for rows in read_batches(source, log, progress=progress):
        if most_rows is not None and tally.rows >= most_rows:
            whole = False
            break
        tally.add(rows)
        trail.append((tally.rows, tally.users.count(), tally.items.count()))
    if not tally.accepted:
        raise DataError(f"{source.description}: none of the {tally.rows:,} rows that were looked at is accepted")
    half = next(point for point in trail if 2 * point[0] >= tally.rows)
    return tally.survey(whole=whole, half=half)


@dataclass(eq=False)
class _Distinct:
    """Counts the distinct ones of many hashes by the `most` smallest."""

    most: int
    kept: Hashes = field(default_factory=lambda: np.empty(0, np.uint64))

    def add(self, hashes: Hashes) -> None:
        if len(self.kept) == self.most:
            hashes = hashes[hashes < self.kept[-1]]
        self.kept = np.unique(np.concatenate([self.kept, hashes]))[: self.most]

    def count(self) -> int:
        n = len(self.kept)
        return n if n < self.most else round((n - 1) * _ALL / float(self.kept[-1]))


@dataclass(eq=False)
class _Sampling:
    """Keeps the events of owners whose hash is below a bound, which is halved when there are too many."""

    most_rows: int
    below: float = _ALL
    rows: list[tuple[Hashes, Hashes, Seconds]] = field(default_factory=list)
    n_rows: int = 0

    def add(self, owner: Hashes, other: Hashes, time: Seconds) -> None:
        self._keep([(owner, other, time)])
        while self.n_rows > self.most_rows:
            self.below /= 2
            rows, self.rows, self.n_rows = self.rows, [], 0
            self._keep(rows)

    def _keep(self, parts: list[tuple[Hashes, Hashes, Seconds]]) -> None:
        for part in parts:
            small = part[0] < np.uint64(min(self.below, _ALL - 2048))
            self.rows.append((part[0][small], part[1][small], part[2][small]))
            self.n_rows += int(np.count_nonzero(small))

    def sample(self) -> Sample:
        owner, other, time = (np.concatenate(columns) for columns in zip(*self.rows, strict=True))
        return Sample(owner, other, time, self.below / _ALL)


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
        self.rows += len(rows.users) + len(rows.refused)
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
    """uint64 (n,) of ids (n,); those that rows use are added to `distinct`."""
    hashes: Hashes = pd.util.hash_array(ids.dictionary.to_numpy(zero_copy_only=False), categorize=False)
    codes = ids.indices.to_numpy()
    used = np.bincount(codes, minlength=len(hashes)) > 0
    distinct.add(hashes[used])
    by_row: Hashes = hashes[codes]
    return by_row


def _mean_length(ids: pa.DictionaryArray) -> float:
    return float(pc.mean(pc.binary_length(ids.dictionary)).as_py())
