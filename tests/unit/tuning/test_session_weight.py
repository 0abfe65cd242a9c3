"""The session weight that is found: high if sessions change the subject, 1 if they do not."""

import numpy as np
import pytest
from scipy.sparse import csr_matrix

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.data.id_map import IdMap
from recsys.data.interactions import Interactions
from recsys.data.splits.running_sessions import RunningSessions, running_sessions
from recsys.data.splits.split import make_split
from recsys.models.factors.model import FactorRecommender
from recsys.models.recommender import Queries
from recsys.models.registry import fit_model, model_config
from recsys.retrieval.exact import ExactSearch
from recsys.retrieval.topk import TopK
from recsys.tuning.session_weight import MIN_USERS, WEIGHTS, find_session_weight

DAY, N_SUBJECTS, PER_SUBJECT = 86_400, 8, 30
N_ITEMS = 40


def log_of(*, changing: bool, n_users: int = 120) -> Interactions:
    """Users with 24 items of one subject, then a session of six: of another subject or of the same one."""
    rng, rows = np.random.default_rng(4), []
    for user in range(n_users):
        home = user % N_SUBJECTS
        away = (home + 1 + user // N_SUBJECTS % (N_SUBJECTS - 1)) % N_SUBJECTS
        old, new = rng.permutation(PER_SUBJECT)[:24], rng.permutation(PER_SUBJECT)[:6]
        if not changing:
            away, new = home, np.setdiff1d(np.arange(PER_SUBJECT), old)
        rows += [(user, home * PER_SUBJECT + item, at * DAY) for at, item in enumerate(old)]
        rows += [(user, away * PER_SUBJECT + item, 60 * DAY + at) for at, item in enumerate(new)]
        rows.append((user, rng.integers(N_SUBJECTS * PER_SUBJECT), 70 * DAY))
    user, item, time = (np.array(column) for column in zip(*rows, strict=True))
    users, user_idx = IdMap.of([f"u{at:03}" for at in user])
    items, item_idx = IdMap.of([f"i{at:03}" for at in item])
    return Interactions(users, items, user_idx, item_idx, np.ones(len(user), np.float32), time.astype(np.int64))


def found_for(log: Interactions, *, n_users: int = 60):
    evaluate, weights = EvaluateConfig(holdout="1d"), EventWeights()
    split = make_split(log, evaluate, prepare=PrepareConfig(), weights=weights)
    model = fit_model(split.train, model_config({"factors": 16, "iterations": 3}))
    ranked = FactorRecommender("als", model, ExactSearch(model.embeddings.scoring_items))
    sessions = running_sessions(log, split, evaluate, weights=weights, n_users=n_users)
    return find_session_weight(ranked, sessions, "ndcg@20")


def test_sessions_that_change_the_subject_weigh_more() -> None:
    found = found_for(log_of(changing=True))
    assert found.weight >= 5
    assert found.n_users == 60
    assert found.tried == WEIGHTS[: len(found.scores)]
    assert found.scores[WEIGHTS.index(found.weight)] > 1.2 * found.scores[0]
    assert found.reason is None


def test_sessions_of_the_same_subject_weigh_as_the_history() -> None:
    found = found_for(log_of(changing=False))
    assert found.weight <= 2
    assert len(found.tried) < len(WEIGHTS)


@pytest.mark.parametrize("n_users", [MIN_USERS - 1, 0])
def test_few_users_change_nothing(n_users: int) -> None:
    found = found_for(log_of(changing=True), n_users=n_users)
    assert (found.weight, found.tried, found.n_users) == (1, (), n_users)
    assert found.reason is not None and f"{n_users} users" in found.reason


class Written:
    """Finds the item of some users, first to last, by session weight."""

    name = "written"

    def __init__(self, found: dict[int, tuple[int, int]]) -> None:
        self.found = found

    def recommend(self, queries: Queries, k: int) -> TopK:
        weight = 1 if queries.emphasis is None else round(float(queries.emphasis.max() / queries.emphasis.min()))
        lists = np.tile(np.arange(2, 2 + k, dtype=np.int32), (len(queries), 1))
        lists[slice(*self.found[weight]), 0] = N_ITEMS - 1
        scores = -np.tile(np.arange(k, dtype=np.float32), (len(queries), 1))
        return TopK(lists, scores, np.full(len(queries), k, np.int32))


@pytest.mark.parametrize(
    ("found", "chosen", "n_tried"),
    [
        ({1: (0, 0), 2: (0, 30), 5: (2, 31), 10: (2, 31)}, 10, 4),
        ({1: (0, 0), 2: (0, 30), 5: (2, 31), 10: (0, 5)}, 5, 4),
        ({1: (0, 0), 2: (0, 30), 5: (0, 10), 10: (0, 5)}, 2, 4),
        ({1: (0, 30), 2: (0, 30), 5: (0, 29)}, 1, 3),
        ({1: (2, 31), 2: (0, 30), 5: (2, 31), 10: (2, 31)}, 1, 4),
    ],
)
def test_the_largest_weight_that_is_about_as_good_as_the_best(found, chosen, n_tried) -> None:
    rows = np.zeros((40, N_ITEMS), np.float32)
    rows[:, :2] = 1
    relevant = np.zeros((40, N_ITEMS), np.float32)
    relevant[:, -1] = 1
    known = (np.array([1], np.int32),) * 40
    sessions = RunningSessions(csr_matrix(rows), known, csr_matrix(relevant), csr_matrix(rows))
    weight = find_session_weight(Written(found), sessions, "hit_rate@5")
    assert (weight.weight, len(weight.tried)) == (chosen, n_tried)
