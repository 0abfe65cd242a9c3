"""TopK: the only place that knows padding, ties and order."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats, Indices, read_only
from recsys.errors import ModelError

PAD = -1
"""Fills `indices` where a row has fewer than k answers; it never leaves `TopK` through `row`."""


@dataclass(frozen=True, eq=False)
class TopK:
    """Ranked answers for n queries.

    `indices`: int32 (n, k), item positions, best first; PAD after a row's last answer. `scores`: float32 (n, k),
    not increasing along a row; -inf under padding. Equal scores stand in the order of their indices.
    `counts`: int32 (n,), answers in each row. Raises ModelError where these do not agree.
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


def select_top_k(scores: Floats, k: int) -> TopK:
    """The k best columns of each row of `scores`: float32 (n, m). A score of -inf means "not allowed".

    Exact, equal scores by lower index, also where the k-th place is tied. `scores` is left as it is.
    """
    n, m = scores.shape
    k_kept = min(k, m)
    if k_kept == 0 or n == 0:
        return empty_top_k(n, k)
    kept = _unordered_top(scores, k_kept)
    values = np.take_along_axis(scores, kept, axis=1)
    order = np.lexsort((kept, -values))
    return top_k_from_sorted(np.take_along_axis(kept, order, axis=1), np.take_along_axis(values, order, axis=1), k)


def _unordered_top(scores: Floats, k: int) -> Indices:
    """int32 (n, k): the k best columns of each row in any order, ties at the border by lower index."""
    if k == scores.shape[1]:
        return np.broadcast_to(np.arange(k, dtype=np.int32), scores.shape)
    kept = np.argpartition(scores, -k, axis=1)[:, -k:].astype(np.int32)
    border = np.take_along_axis(scores, kept, axis=1).min(axis=1, keepdims=True)
    for row in np.flatnonzero((scores >= border).sum(axis=1) > k):
        above = np.flatnonzero(scores[row] > border[row])
        tied = np.flatnonzero(scores[row] == border[row])
        kept[row] = np.concatenate([above, tied[: k - len(above)]])
    return kept


def top_k_from_sorted(indices: Indices, scores: Floats, k: int) -> TopK:
    """TopK of rows that are already in order, with -inf scores last; cut or padded to k columns."""
    indices, scores = indices[:, :k], scores[:, :k].astype(np.float32, copy=False)
    counts = np.isfinite(scores).sum(axis=1, dtype=np.int32)
    missing = max(0, k - indices.shape[1])
    padded = np.pad(indices.astype(np.int32, copy=False), ((0, 0), (0, missing)))
    filled = np.arange(k) < counts[:, None]
    return TopK(
        np.where(filled, padded, np.int32(PAD)),
        np.where(filled, np.pad(scores, ((0, 0), (0, missing))), np.float32(-np.inf)),
        counts,
    )


def empty_top_k(n: int, k: int) -> TopK:
    """TopK of n queries that have no answer."""
    return TopK(np.full((n, k), PAD, np.int32), np.full((n, k), -np.inf, np.float32), np.zeros(n, np.int32))
