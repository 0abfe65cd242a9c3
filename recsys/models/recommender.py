"""Recommender: the protocol through which every model is evaluated."""

from dataclasses import dataclass
from typing import Protocol

from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.retrieval.topk import TopK


@dataclass(frozen=True, eq=False)
class Queries:
    """Users to recommend to.

    `history`: float32 CSR (n, n_items), the items of each user.
    `user_idx`: int32 (n,), their rows in the training matrix, or None if they were not in training, so that the model
    must rank from `history` alone. `seen`: CSR (n, n_items), the items that are not recommended; None if those are
    the histories. `emphasis`: float32 (nnz,), how much each entry of the history counts, see `recsys.data.emphasis`;
    factor models use it if `user_idx` is None, baselines never.
    """

    history: Csr
    user_idx: Indices | None
    seen: Csr | None = None
    emphasis: Floats | None = None

    @property
    def left_out(self) -> Csr:
        """The items that are not recommended: `seen`, or else the histories."""
        return self.history if self.seen is None else self.seen

    def __len__(self) -> int:
        return int(self.history.shape[0])

    def batch(self, start: int, stop: int) -> "Queries":
        """The queries `start` to `stop`."""
        rows = None if self.user_idx is None else self.user_idx[start:stop]
        seen = None if self.seen is None else self.seen[start:stop]
        history = self.history[start:stop]
        first = self.history.indptr[min(start, len(self))]
        emphasis = None if self.emphasis is None else self.emphasis[first : first + history.nnz]
        return Queries(history, rows, seen, emphasis)


class Recommender(Protocol):
    """Anything that ranks items for users."""

    @property
    def name(self) -> str:
        """Its name in reports."""

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k best items per query outside what it leaves out, fewer only if fewer remain."""
