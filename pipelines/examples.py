"""A few evaluated users side by side: what they did, and what the model would have shown them."""

from typing import Any

import numpy as np

from recsys.data.arrays import Indices
from recsys.data.items import Items
from recsys.data.matrix import Csr
from recsys.data.splits import Split
from recsys.models.embedding_recommender import EmbeddingRecommender
from recsys.models.recommender import Queries
from recsys.models.training import TrainedModel
from recsys.retrieval.exact import ExactSearch

_USERS = 5
_HISTORY = 8
_RECOMMENDED = 5


def examples_of(split: Split, model: TrainedModel, items: Items) -> list[dict[str, Any]]:
    """Evenly spaced users of the split: user_id, history and recommended, as titles (ids where there are none)."""
    rows = np.unique(np.linspace(0, len(split.user_ids) - 1, _USERS).astype(np.int64))
    user_idx = None if split.user_idx is None else split.user_idx[rows]
    history = split.queries_history[rows]
    recommender = EmbeddingRecommender("model", model, ExactSearch(model.embeddings.scoring_items))
    top = recommender.recommend(Queries(history, user_idx), _RECOMMENDED)
    catalogue = items.aligned(split.train.items)
    return [
        {
            "user_id": split.user_ids[int(row)].as_py(),
            "history": _names(catalogue, _heaviest(history, at)),
            "recommended": _names(catalogue, top.row(at)[0]),
        }
        for at, row in enumerate(rows)
    ]


def _heaviest(history: Csr, row: int) -> Indices:
    start, stop = history.indptr[row], history.indptr[row + 1]
    order = np.argsort(-history.data[start:stop], kind="stable")[:_HISTORY]
    heaviest: Indices = history.indices[start:stop][order]
    return heaviest


def _names(items: Items, positions: Indices) -> list[str]:
    return [items.title(int(at)) or items.ids.id_at(int(at)) for at in positions]
