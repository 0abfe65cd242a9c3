"""Item k-NN: items whose users are the users of what one has already."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats, Indices, read_only
from recsys.data.matrix import Csr, InteractionMatrix, csr_from_pairs
from recsys.models.recommender import Queries
from recsys.progress import Progress, silent
from recsys.retrieval.exact import top_k_by_blocks
from recsys.retrieval.topk import TopK, select_top_k

# Similarities of one block of items to all others: 32 MiB of float32.
_SIMILARITIES_PER_BLOCK = 8 * 2**20


@dataclass(frozen=True, eq=False)
class ItemKnnRecommender:
    """Scores an item by the sum of its similarities to the items of a history.

    `similarity`: float32 CSR (n_items, n_items), row i holds the nearest neighbours of item i and their
    similarities, which sum to one. `backfill`: float32 (n_items,), below zero, the score of an item that is
    nobody's neighbour: the rest of a list is ranked by popularity, so none comes up short, and an empty history
    gets the most popular items.
    """

    similarity: Csr
    backfill: Floats
    name: str = "item_knn"

    @staticmethod
    def fit(matrix: InteractionMatrix, *, neighbours: int = 100, progress: Progress = silent) -> "ItemKnnRecommender":
        """Find each item's `neighbours` nearest ones.

        Similarity is the cosine of the columns of a matrix that is 1 where a user used an item, its rows first
        brought to length one: a user of everything says little about what belongs together. The similarities kept
        for an item are then divided by their sum. How much a user did with an item does not count, neither here nor
        when a history is scored. Deshpande, Karypis, "Item-Based Top-N Recommendation Algorithms" (2004).
        """
        n_users: Floats = np.bincount(matrix.csr.indices, minlength=matrix.n_items).astype(np.float32)
        similarity = _nearest(_unit_columns(matrix.csr), neighbours, progress)
        return ItemKnnRecommender(similarity, read_only(-np.reciprocal(1 + n_users)))

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k items most similar to each history, outside of it."""
        history = _presence(queries.history)

        def scores(start: int, stop: int) -> Floats:
            block: Floats = (history[start:stop] @ self.similarity).toarray()
            np.copyto(block, self.backfill, where=block <= 0)
            return block

        return top_k_by_blocks(scores, queries.history.shape, k, exclude=queries.history)


def _presence(csr: Csr) -> Csr:
    """The same places, every weight 1."""
    return Csr((np.ones(csr.nnz, np.float32), csr.indices, csr.indptr), shape=csr.shape)


def _unit_columns(csr: Csr) -> Csr:
    """Float32 CSR (n_users, n_items): presence, the rows brought to length one, then the columns."""
    n_items_of_user = np.diff(csr.indptr)
    squared = np.repeat(1 / np.maximum(n_items_of_user, 1), n_items_of_user)
    length = np.sqrt(np.bincount(csr.indices, weights=squared, minlength=csr.shape[1]))
    values = np.sqrt(squared) / length[csr.indices]
    return Csr((values.astype(np.float32), csr.indices, csr.indptr), shape=csr.shape)


def _nearest(unit: Csr, neighbours: int, progress: Progress) -> Csr:
    """Float32 CSR (n_items, n_items): each row's largest cosines over their sum, itself left out, ties by index.

    `unit`: float32 (n_users, n_items), columns of length one.
    """
    n_items = unit.shape[1]
    columns = unit.T.tocsr()
    size = max(1, _SIMILARITIES_PER_BLOCK // n_items)
    parts = []
    for start in range(0, n_items, size):
        cosine = (columns[start : start + size] @ unit).toarray()
        np.fill_diagonal(cosine[:, start:], 0)
        cosine[cosine <= 0] = -np.inf
        parts.append(_triples(select_top_k(cosine, neighbours), start))
        progress("item k-NN", min(start + size, n_items), n_items)
    row, column, value = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    return csr_from_pairs(row, column, value, (n_items, n_items))


def _triples(top: TopK, first_row: int) -> tuple[Indices, Indices, Floats]:
    """Rows from `first_row` on, columns and values of the answers; each row's values over their sum."""
    row = np.repeat(np.arange(first_row, first_row + len(top), dtype=np.int32), top.counts)
    share = top.scores / np.where(top.filled, top.scores, 0).sum(axis=1, keepdims=True, initial=1e-30)
    return row, top.indices[top.filled], share[top.filled]
