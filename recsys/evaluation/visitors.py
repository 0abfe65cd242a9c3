"""Visitors: how good the lists of every model are for people of whom only a few items are known."""

from collections.abc import Mapping, Sequence
from types import MappingProxyType

import numpy as np

from recsys.config import EvaluateConfig, duration_text
from recsys.data.splits.visitors import Visitors
from recsys.evaluation.comparison import Estimate, estimate
from recsys.evaluation.definitions import split_name
from recsys.evaluation.evaluator import SCORES_PER_BATCH, score_lists
from recsys.evaluation.metrics import Values
from recsys.evaluation.provenance import MeanOfVisitors, VisitorsSummary, VisitorsWithItems
from recsys.models.recommender import Queries, Recommender

SOURCES: Mapping[str, str] = MappingProxyType(
    {
        "temporal": "the first session of a user in the holdout with two or more items",
        "held_out_users": "the first session with two or more items of a user who was left out of training",
        "given": "the first session with two or more items of a user in the given holdout",
        "last_n": "the items of a user before those that are held out, which are to be found",
    }
)
"""Where the visitors of each split come from."""


def score_visitors(recommender: Recommender, visitors: Visitors, metric: str) -> Values:
    """float64 (n,): `metric` ("ndcg@20") of the list of each visitor. All items are ranked but those left out."""
    _, k = split_name(metric)
    queries = Queries(visitors.history, None, visitors.left_out)
    size = max(1, SCORES_PER_BATCH // visitors.history.shape[1])
    return np.concatenate(
        [
            score_lists(
                recommender.recommend(queries.batch(start, start + size), k),
                visitors.relevant[start : start + size],
                metric,
            )
            for start in range(0, len(queries), size)
        ]
    )


def summarise(
    visitors: Sequence[Visitors],
    scores: Mapping[str, Sequence[Values]],
    *,
    metric: str,
    evaluate: EvaluateConfig,
) -> VisitorsSummary | None:
    """What was measured, with intervals; None if there are no visitors.

    `scores`: model to the results of `score_visitors`, one for each of `visitors`.
    """
    if not visitors:
        return None
    rows = (
        VisitorsWithItems(n_known=each.n_known, n_visitors=each.history.shape[0], models=_means(scores, at, evaluate))
        for at, each in enumerate(visitors)
    )
    source = f"{SOURCES[evaluate.split]}{_how_cut(visitors[0], evaluate)}"
    return VisitorsSummary(metric=metric, source=source, known=tuple(rows))


def _how_cut(visitors: Visitors, evaluate: EvaluateConfig) -> str:
    """How sessions were cut, if it is not by `evaluate.session_gap`."""
    if evaluate.split == "last_n" or visitors.session_gap == evaluate.session_gap:
        return ""
    if visitors.session_gap is None:
        return ", all items in a random order because there are no times"
    gap = duration_text(visitors.session_gap)
    return f"; sessions end before a pause of more than {gap}, because few are shorter"


def _means(scores: Mapping[str, Sequence[Values]], at: int, evaluate: EvaluateConfig) -> dict[str, MeanOfVisitors]:
    columns = {name: {"": values[at]} for name, values in scores.items()}
    return {name: _mean(table[""]) for name, table in estimate(columns, evaluate).items()}


def _mean(found: Estimate) -> MeanOfVisitors:
    return MeanOfVisitors(mean=found.mean or 0.0, low=found.low, high=found.high)
