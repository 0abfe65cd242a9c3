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
    """The weight of WEIGHTS that suits the rest of the `sessions` by the mean of `metric` ("ndcg@20").

    Stops after two in a row that are no better. The model has learned from these users, which favours their history:
    of the weights that are no worse than the best by more than the standard error of the paired difference, the
    largest is taken. 1 stays unless the best is better than 1 by more than that.
    """
    if len(sessions) < MIN_USERS:
        few = f"{len(sessions)} users have a session to continue, fewer than {MIN_USERS}"
        return SessionWeight(weight=1.0, metric=metric, n_users=len(sessions), reason=few)
    scores: list[Values] = []
    for weight in WEIGHTS:
        scores.append(_scores(recommender, sessions, weight, metric))
        if _best(scores) < len(scores) - _PATIENCE:
            break
    chosen = _chosen(scores)
    found, score = WEIGHTS[chosen], scores[chosen].mean()
    logger.info("session weight: users=%d weight=%g %s=%.4f", len(sessions), found, metric, score)
    return SessionWeight(
        weight=found,
        metric=metric,
        n_users=len(sessions),
        session_gap=sessions.session_gap,
        tried=WEIGHTS[: len(scores)],
        scores=tuple(float(each.mean()) for each in scores),
    )


def _chosen(scores: list[Values]) -> int:
    best = scores[_best(scores)]
    about_equal = [at for at, each in enumerate(scores) if _no_worse(each, best)]
    return 0 if 0 in about_equal else max(about_equal)


def _no_worse(values: Values, best: Values) -> bool:
    """Whether `values`, float64 (n,), are below `best` by no more than the standard error of the difference."""
    short = best - values
    return bool(short.mean() <= short.std(ddof=1) / np.sqrt(len(short)))


def _scores(recommender: Recommender, sessions: RunningSessions, weight: float, metric: str) -> Values:
    queries = Queries(sessions.history, None, sessions.left_out, sessions.emphasis(weight))
    return score_lists(recommender.recommend(queries, split_name(metric)[1]), sessions.relevant, metric)


def _best(scores: list[Values]) -> int:
    return int(np.argmax([each.mean() for each in scores]))
