"""Item k-NN: items that share their users with those of the history."""

from dataclasses import dataclass

import numpy as np

from recsys.data.arrays import Floats, read_only
from recsys.data.confidence import ConfidenceConfig, fit_confidence
from recsys.data.matrix import Csr, InteractionMatrix, presence
from recsys.models.neighbours.nearest import nearest_items, shares
from recsys.models.recommender import Queries
from recsys.progress import Progress, silent
from recsys.retrieval.exact import top_k_by_blocks
from recsys.retrieval.topk import TopK


@dataclass(frozen=True, eq=False)
class ItemKnnRecommender:
    """Scores an item by the sum of its similarities to the items of a history.

    `similarity`: float32 CSR (n_items, n_items), row i holds the nearest neighbours of item i and their similarities,
    above zero. `backfill`: float32 (n_items,), below zero, the score of an item that is no neighbour of the history:
    the rest of a list is ranked by popularity, so that every list is filled, and an empty history gets the most
    popular items. It is -inf for an item without training users, which is never listed. Weights of the history are
    ignored.
    """

    similarity: Csr
    backfill: Floats
    name: str = "item_knn"

    @staticmethod
    def of(similarity: Csr, matrix: InteractionMatrix, *, name: str) -> "ItemKnnRecommender":
        """Recommend by `similarity`, then by the number of distinct users that items have in `matrix`."""
        n_users: Floats = np.bincount(matrix.csr.indices, minlength=matrix.n_items).astype(np.float32)
        backfill = np.where(n_users > 0, -np.reciprocal(1 + n_users), -np.inf).astype(np.float32)
        return ItemKnnRecommender(similarity, read_only(backfill), name)

    @staticmethod
    def fit(matrix: InteractionMatrix, *, neighbours: int = 100, progress: Progress = silent) -> "ItemKnnRecommender":
        """Find each item's `neighbours` nearest ones by cosine.

        Similarity is the cosine of the columns of a matrix that is 1 if a user used an item, else 0. Its rows are
        first brought to length one, because a user of many items says little about which belong together. The
        similarities kept for an item are then divided by their sum. How much a user did with an item does not count.
        Deshpande, Karypis, "Item-Based Top-N Recommendation Algorithms" (2004).
        """
        unit = _unit_columns(matrix.csr)
        similarity = nearest_items(unit.T.tocsr(), unit, neighbours, stage="item k-NN", progress=progress)
        return ItemKnnRecommender.of(shares(similarity), matrix, name="item_knn")

    @staticmethod
    def fit_bm25(
        matrix: InteractionMatrix,
        *,
        neighbours: int = 100,
        k1: float = 4.0,
        b: float = 0.3,
        progress: Progress = silent,
    ) -> "ItemKnnRecommender":
        """Find each item's `neighbours` nearest ones by the inner product of their BM25-weighted columns.

        An item is the document, its users are the terms, and how much a user did with it is the term's frequency,
        saturated by `k1`, and by `b` discounted for items with many events; a user of many items is a common term.
        The formula is that of `recsys.data.confidence.bm25`, items and users exchanged. The similarities kept for an
        item are divided by their sum. Raises DataError if `matrix` holds nothing.
        """
        items = matrix.csr.T.tocsr()
        config = ConfidenceConfig(weighting="bm25", alpha=1, bm25_k1=k1, bm25_b=b)
        weighted = fit_confidence(items, config).apply(items)
        similarity = nearest_items(
            weighted, weighted.T.tocsr(), neighbours, stage="BM25 item k-NN", progress=progress
        )
        return ItemKnnRecommender.of(shares(similarity), matrix, name="item_knn_bm25")

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k items most similar to each history, outside what the query leaves out."""
        history = presence(queries.history)

        def scores(start: int, stop: int) -> Floats:
            block: Floats = (history[start:stop] @ self.similarity).toarray()
            np.copyto(block, self.backfill, where=block <= 0)
            return block

        return top_k_by_blocks(scores, queries.history.shape, k, exclude=queries.left_out)


def _unit_columns(csr: Csr) -> Csr:
    """Float32 CSR (n_users, n_items): presence, the rows brought to length one, then the columns."""
    n_items_of_user = np.diff(csr.indptr)
    squared = np.repeat(1 / np.maximum(n_items_of_user, 1), n_items_of_user)
    length = np.sqrt(np.bincount(csr.indices, weights=squared, minlength=csr.shape[1]))
    values = np.sqrt(squared) / length[csr.indices]
    return Csr((values.astype(np.float32), csr.indices, csr.indptr), shape=csr.shape)
