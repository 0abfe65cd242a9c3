"""Cold items: how good the lists are for items that a model has never seen an event of."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from recsys.config import EvaluateConfig
from recsys.data.arrays import Floats, Indices
from recsys.data.matrix import Csr
from recsys.data.splits.hidden_items import HiddenItems
from recsys.evaluation.comparison import Estimates, estimate
from recsys.evaluation.evaluator import SCORES_PER_BATCH
from recsys.evaluation.measures import contains
from recsys.evaluation.metrics import ACCURACY, Values
from recsys.models.factors.model import FactorModel, FactorRecommender, search_known
from recsys.models.popularity import PopularityRecommender
from recsys.models.recommender import Queries, Recommender
from recsys.retrieval.exact import ExactSearch, normalised
from recsys.retrieval.search import ItemSearch
from recsys.retrieval.selective import SubsetSearch
from recsys.retrieval.topk import TopK

METRICS = ("recall", "ndcg")

Contestant = Callable[[Indices | None], Recommender]
"""Given the items that it may list, int32 (m,), ascending, or None for all: a recommender over all items."""

RANDOM = "random"


def of_model(name: str, model: FactorModel) -> Contestant:
    """The lists of `model`, in which the hidden items have vectors."""
    items = model.embeddings.scoring_items
    return lambda allowed: FactorRecommender(name, model, _search(items, allowed))


def of_content(vectors: Floats) -> Contestant:
    """Items whose content is nearest to that of the history. `vectors`: float32 (n_items, d), of length one or 0."""
    return lambda allowed: ContentRecommender(vectors, _search(vectors, allowed))


def of_popularity(name: str, popularity: Values) -> Contestant:
    """The same order for everybody. `popularity`: float64 (n_items,); items at zero are never listed."""

    def contestant(allowed: Indices | None) -> Recommender:
        score = popularity.astype(np.float32)
        if allowed is not None:
            score[np.setdiff1d(np.arange(len(score)), allowed)] = 0
        order = np.argsort(-score, kind="stable").astype(np.int32)[: np.count_nonzero(score)]
        return PopularityRecommender(order, score[order], name)

    return contestant


def _search(items: Floats, allowed: Indices | None) -> ItemSearch:
    return ExactSearch(items) if allowed is None else SubsetSearch(items[allowed], allowed, len(items))


@dataclass(frozen=True, eq=False)
class ContentRecommender:
    """Ranks by the cosine of an item's content with the mean content of the history; no learned vector counts.

    `vectors`: float32 (n_items, d), of length one, or zero if nothing is known of the item.
    """

    vectors: Floats
    search: ItemSearch
    name: str = "content"

    def recommend(self, queries: Queries, k: int) -> TopK:
        """The k nearest items of each query outside what it leaves out."""
        means = normalised(np.ascontiguousarray(_presence(queries.history) @ self.vectors, dtype=np.float32))
        return search_known(self.search, means, queries.left_out, k)


def _presence(history: Csr) -> Csr:
    return Csr((np.ones(history.nnz, np.float32), history.indices, history.indptr), shape=history.shape)


def score_cold_items(
    contestants: Mapping[str, Contestant], hidden: HiddenItems, cutoffs: Sequence[int], evaluate: EvaluateConfig
) -> tuple[Estimates, Estimates]:
    """METRICS at `cutoffs` for finding the hidden items of every user: ranked among the hidden ones, and among all.

    By contestant, with intervals; "random" is what a random order is expected to have, computed, not drawn. Lists
    leave out the visible history of a user. The estimates of both are over the same users.
    """
    among_hidden = _scored(contestants, hidden, cutoffs, hidden.items)
    among_all = _scored(contestants, hidden, cutoffs, None)
    return estimate(among_hidden, evaluate), estimate(among_all, evaluate)


def _scored(
    contestants: Mapping[str, Contestant], hidden: HiddenItems, cutoffs: Sequence[int], allowed: Indices | None
) -> dict[str, dict[str, Values]]:
    columns = {name: _measured(make(allowed), hidden, cutoffs) for name, make in contestants.items()}
    n_relevant = np.diff(hidden.relevant.indptr).astype(np.int64)
    n_items = hidden.visible.n_items - np.diff(hidden.history.indptr) if allowed is None else len(hidden.items)
    return columns | {RANDOM: random_order(n_relevant, np.broadcast_to(n_items, n_relevant.shape), cutoffs)}


def _measured(recommender: Recommender, hidden: HiddenItems, cutoffs: Sequence[int]) -> dict[str, Values]:
    n_relevant = np.diff(hidden.relevant.indptr).astype(np.int64)
    hits = np.concatenate(list(_hits(recommender, hidden, max(cutoffs))))
    tables = {name: ACCURACY[name](hits, n_relevant, tuple(cutoffs)) for name in METRICS}
    return {f"{name}@{k}": table[:, at].copy() for name, table in tables.items() for at, k in enumerate(cutoffs)}


def _hits(
    recommender: Recommender, hidden: HiddenItems, k: int
) -> Iterator[np.ndarray[tuple[int, int], np.dtype[np.bool_]]]:
    queries = Queries(hidden.history, None)
    size = max(1, SCORES_PER_BATCH // hidden.visible.n_items)
    for start in range(0, len(queries), size):
        answer = recommender.recommend(queries.batch(start, start + size), k)
        yield contains(hidden.relevant[start : start + size], answer)


def random_order(n_relevant: np.ndarray, n_items: np.ndarray, cutoffs: Sequence[int]) -> dict[str, Values]:
    """What METRICS are on average if the order of `n_items`, int (n,), items is random. `n_relevant`: int (n,)."""
    share = n_relevant / n_items
    discount = np.cumsum(1 / np.log2(np.arange(2, max(cutoffs) + 2)))
    columns = {}
    for k in cutoffs:
        places, best = np.minimum(k, n_items), np.minimum(k, n_relevant)
        columns[f"recall@{k}"] = share * places / best
        columns[f"ndcg@{k}"] = share * discount[places - 1] / discount[best - 1]
    return columns
