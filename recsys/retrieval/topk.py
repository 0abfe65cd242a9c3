"""TopK: the only place that knows padding, ties and order."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.arrays import Doubles, Floats, Indices, read_only
from recsys.errors import ModelError

# Scores that are looked at together: what is set aside for ties stays small, and in the cache.
SCORES_AT_ONCE = 4_000_000

PAD = -1
"""Fills `indices` if a row has fewer than k answers; it never leaves `TopK` through `row`."""


@dataclass(frozen=True, eq=False)
class TopK:
    """Ranked answers for n queries.

    `indices`: int32 (n, k), item positions, best first; PAD after a row's last answer. `scores`: float32 (n, k),
    not increasing along a row; -inf under padding. Equal scores are in the order of their indices.
    `counts`: int32 (n,), answers in each row. Raises ModelError if these do not agree.
    """

    indices: Indices
    scores: Floats
    counts: Indices

    def __post_init__(self) -> None:
        if self.indices.shape != self.scores.shape or self.counts.shape != self.indices.shape[:1]:
            raise ModelError(
                f"top-k: indices {self.indices.shape}, scores {self.scores.shape}, counts {self.counts.shape}"
            )
        for name in ("indices", "scores", "counts"):
            object.__setattr__(self, name, read_only(getattr(self, name)))

    def __len__(self) -> int:
        return len(self.indices)

    @property
    def k(self) -> int:
        """Columns; a row may hold fewer answers."""
        return int(self.indices.shape[1])

    def row(self, query: int) -> tuple[Indices, Floats]:
        """The answers of one query: indices int32 (count,), scores float32 (count,). Never padding."""
        count = int(self.counts[query])
        return self.indices[query, :count], self.scores[query, :count]

    def rows(self) -> Iterator[tuple[Indices, Floats]]:
        """Every query's answers in turn."""
        return (self.row(query) for query in range(len(self)))

    @property
    def filled(self) -> np.ndarray[tuple[int, ...], np.dtype[np.bool_]]:
        """bool (n, k): which places hold an answer."""
        return np.arange(self.k) < self.counts[:, None]


def select_top_k(scores: Floats, k: int, *, scores_at_once: int = SCORES_AT_ONCE) -> TopK:
    """The k best columns of each row of `scores`: float32 (n, m), no NaN. A score of -inf means "not allowed".

    Exact, equal scores by lower index, also if the k-th place is tied. `scores` is left as it is, and looked at in
    blocks of about `scores_at_once`.
    """
    if scores.size == 0:
        return empty_top_k(len(scores), k)
    blocks = row_blocks(scores.shape, scores_at_once)
    return stack([_first_keys(_near_keys(scores[block], k, np.zeros(1)), k) for block in blocks])


def row_blocks(shape: tuple[int, ...], scores_at_once: int = SCORES_AT_ONCE) -> list[slice]:
    """The rows of an array of `shape` (n, m), in blocks of about `scores_at_once` elements."""
    n, m = shape
    rows = max(1, scores_at_once // max(1, m))
    return [slice(start, start + rows) for start in range(0, n, rows)]


def near_top_k(scores: Floats, k: int, slack: Doubles) -> TopK:
    """The k best columns of each row, all others that are no more than `slack` below the k-th, and perhaps some more.

    In order. `scores`: float32 (n, m), no NaN, n and m at least 1; -inf means "not allowed". `slack`: float64 (n,)
    or (1,), at least 0.
    """
    keys = _near_keys(scores, k, slack)
    return _first_keys(keys, keys.shape[1])


def _near_keys(scores: Floats, k: int, slack: Doubles) -> NDArray[np.uint64]:
    """uint64 (n, k or more): keys of what `near_top_k` finds, in the order of their columns; _LAST_KEY after them."""
    n, m = scores.shape
    bound = np.maximum(_lower_bound(scores, min(k, m)) - slack, np.finfo(np.float32).min).astype(np.float32)
    row, column = np.divmod(np.flatnonzero(scores >= bound[:, None]), m)
    found = np.bincount(row, minlength=n)
    keys = np.full((n, max(k, int(found.max()))), _LAST_KEY)
    keys[row, np.arange(len(row)) - (np.cumsum(found) - found)[row]] = _rank_keys(scores[row, column], column)
    return keys


def _lower_bound(scores: Floats, k: int) -> Floats:
    """float32 (n,): no higher than the k-th best score of each row.

    The k-th best of the maxima of disjoint groups of columns is such a bound, many times cheaper than the k-th
    best score itself, and hardly more columns reach it than k.
    """
    n, m = scores.shape
    size = min(_MAX_GROUP, m // (_GROUPS_PER_PLACE * k))
    best = scores
    if size > 1:
        groups = m // size
        best = scores[:, : size * groups].reshape(n, size, groups).max(axis=1)
    worst_kept = best.shape[1] - k
    bound: Floats = np.partition(best, worst_kept, axis=1)[:, worst_kept]
    return bound


def top_k_of_candidates(indices: Indices, scores: Floats, k: int) -> TopK:
    """The k best of each row's candidates, which stand in any order: int32 (n, w) without repeats.

    `scores`: float32 (n, w), no NaN; -inf for no candidate. Equal scores by lower index.
    """
    n, width = scores.shape
    keys = np.full((n, max(k, width)), _LAST_KEY)
    np.copyto(keys[:, :width], _rank_keys(scores, indices), where=scores > -np.inf)
    return _first_keys(keys, k)


def _rank_keys(scores: Floats, column: NDArray[np.integer]) -> NDArray[np.uint64]:
    """uint64, one per score: ascending as scores descend, then by column, which is the lower half."""
    bits = (scores + np.float32(0)).view(np.int32)  # adding zero makes -0.0 the same as 0.0
    upper = _mirrored(bits).view(np.uint32).astype(np.uint64) << np.uint64(32)
    keys: NDArray[np.uint64] = upper | column.astype(np.uint64)
    return keys


def _first_keys(keys: NDArray[np.uint64], k: int) -> TopK:
    """The k first of each row of keys (n, k or more) once sorted, which is done in place."""
    keys.sort(axis=1)
    first = keys[:, :k]
    filled = first != _LAST_KEY
    scores = _mirrored((first >> np.uint64(32)).astype(np.uint32).view(np.int32)).view(np.float32)
    indices = first.astype(np.uint32).view(np.int32)
    return TopK(indices, np.where(filled, scores, np.float32(-np.inf)), filled.sum(axis=1, dtype=np.int32))


def _mirrored(bits: Indices) -> Indices:
    """The bits of float32 as numbers that, read as unsigned, descend as the floats ascend; and back again."""
    return np.where(bits >= 0, bits ^ np.int32(0x7FFF_FFFF), bits)


def top_k_from_sorted(indices: Indices, scores: Floats, k: int) -> TopK:
    """TopK of rows that are already in order, with -inf scores last; cut or padded to k columns."""
    kept, kept_scores = _blank(len(indices), k)
    width = min(k, indices.shape[1])
    kept_scores[:, :width] = scores[:, :width]
    filled = kept_scores > -np.inf
    np.copyto(kept[:, :width], indices[:, :width], where=filled[:, :width], casting="same_kind")
    return TopK(kept, kept_scores, filled.sum(axis=1, dtype=np.int32))


def empty_top_k(n: int, k: int) -> TopK:
    """TopK of n queries that have no answer."""
    return TopK(*_blank(n, k), np.zeros(n, np.int32))


def _blank(n: int, k: int) -> tuple[Indices, Floats]:
    return np.full((n, k), PAD, np.int32), np.full((n, k), -np.inf, np.float32)


def stack(parts: Sequence[TopK]) -> TopK:
    """The queries of all `parts`, one part after the other; all of the same k."""
    if len(parts) == 1:
        return parts[0]
    return TopK(*(np.concatenate([getattr(part, name) for part in parts]) for name in _ARRAYS))


def place(parts: Iterable[tuple[NDArray[np.intp], TopK]], n: int, k: int) -> TopK:
    """TopK of n queries of which `parts` answer some: query numbers intp (m,) and their answers, all of the same k.

    A query that no part answers has no answer.
    """
    whole = {name: getattr(empty_top_k(n, k), name).copy() for name in _ARRAYS}
    for queries, part in parts:
        for name, array in whole.items():
            array[queries] = getattr(part, name)
    return TopK(**whole)


_GROUPS_PER_PLACE, _MAX_GROUP = 4, 256
_LAST_KEY = np.uint64(2**64 - 1)  # sorts behind every answer, and its lower half read as int32 is PAD
_ARRAYS = ("indices", "scores", "counts")
