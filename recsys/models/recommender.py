"""Recommender: the protocol through which every model is evaluated."""

from dataclasses import dataclass
from typing import Protocol

from recsys.data.arrays import Indices
from recsys.data.matrix import Csr
from recsys.retrieval.topk import TopK


@dataclass(frozen=True, eq=False)
class Queries:
    """Users to recommend to.

    `history`: float32 CSR (n, n_items), the items of each user; none of them is ever recommended.
    `user_idx`: int32 (n,), their rows in the training matrix, or None if they were not in training, so that the model
    must rank from `history` alone.
    """

    history: Csr
    user_idx: Indices | None

    def __len__(self) -> int:
        return int(self.history.shape[0])

    def batch(self, start: int, stop: int) -> "Queries":
        """The queries `start` to `stop`."""
        rows = None if self.user_idx is None else self.user_idx[start:stop]
        return Queries(self.history[start:stop], rows)


class Recommender(Protocol):
    """Anything that ranks items for users."""

    @property
    def name(self) -> str:
        """Its name in reports."""

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k best items per query outside its history, fewer only if fewer remain."""
