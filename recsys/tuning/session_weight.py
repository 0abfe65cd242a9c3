"""Session weight: how much the items of a running session count against a stored history, found by trying."""

import logging

import numpy as np

from recsys.data.splits.running_sessions import RunningSessions
from recsys.evaluation.definitions import split_name
from recsys.evaluation.evaluator import score_lists
from recsys.evaluation.metrics import Values
from recsys.evaluation.provenance import SessionWeight
from recsys.models.recommender import Queries, Recommender

logger = logging.getLogger(__name__)

WEIGHTS = (1.0, 2.0, 5.0, 10.0, 20.0, 50.0, 100.0)
"""The session weights that are tried, in this order."""

MIN_USERS = 30
"""With fewer users the weight stays 1."""

_PATIENCE = 2  # weights in a row that are no better


def find_session_weight(recommender: Recommender, sessions: RunningSessions, metric: str) -> SessionWeight:
    """The weight of WEIGHTS with the best mean of `metric` ("ndcg@20") over the rest of the `sessions`.

    Stops after two in a row that are no better. A weight other than 1 must be better than 1 by more than the standard
    error of the paired difference.
    """
    if len(sessions) < MIN_USERS:
        few = f"{len(sessions)} users have a session to continue, fewer than {MIN_USERS}"
        return SessionWeight(weight=1.0, metric=metric, n_users=len(sessions), reason=few)
    scores: list[Values] = []
    for weight in WEIGHTS:
        scores.append(_scores(recommender, sessions, weight, metric))
        if _best(scores) < len(scores) - _PATIENCE:
            break
    best = _best(scores)
    gain = scores[best] - scores[0]
    if gain.mean() <= gain.std() / np.sqrt(len(gain)):
        best = 0
    logger.info(
        "session weight: users=%d weight=%g %s=%.4f", len(sessions), WEIGHTS[best], metric, scores[best].mean()
    )
    return SessionWeight(
        weight=WEIGHTS[best],
        metric=metric,
        n_users=len(sessions),
        session_gap=sessions.session_gap,
        tried=WEIGHTS[: len(scores)],
        scores=tuple(float(each.mean()) for each in scores),
    )


def _scores(recommender: Recommender, sessions: RunningSessions, weight: float, metric: str) -> Values:
    queries = Queries(sessions.history, None, sessions.left_out, sessions.emphasis(weight))
    return score_lists(recommender.recommend(queries, split_name(metric)[1]), sessions.relevant, metric)


def _best(scores: list[Values]) -> int:
    return int(np.argmax([each.mean() for each in scores]))
