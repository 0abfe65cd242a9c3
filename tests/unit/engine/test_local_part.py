"""What the neighbours of a history add counts the same in every list, however the list is asked for."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp
from numpy.typing import NDArray

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.folded_users import FoldedUsers
from recsys.data.id_map import IdMap
from recsys.data.matrix import presence
from recsys.engine import Answer, Engine, Event, Question
from recsys.models.neighbours.weights import NeighbourWeights
from recsys.progress import silent
from recsys.retrieval.approximate_index import SearchParameters, build_approximate
from recsys.retrieval.families.registry import FAMILIES

N_ITEMS, STRENGTH = 3_000, 5.0
USERS = [f"u{number:04}" for number in (1, 5, 17, 42, 158)]


@pytest.fixture(scope="module")
def bundle(large: Bundle) -> Bundle:
    """`large` with 20 neighbours per item, and with three users who are folded in."""
    rng = np.random.default_rng(21)
    weights = sp.random(N_ITEMS, N_ITEMS, density=20 / N_ITEMS, format="lil", rng=rng, dtype=np.float32)
    weights.setdiag(0)
    neighbours = NeighbourWeights(sp.csr_matrix(weights.tocsr().astype(np.float32)), STRENGTH)
    users, _ = IdMap.of(["w0", "w1", "w2"])
    folded = FoldedUsers(users, presence(large.history[[1, 5, 17]]))
    return replace(large, model=large.model.with_neighbours(neighbours), folded_in=folded)


@pytest.fixture(scope="module")
def engine(bundle: Bundle) -> Engine:
    return Engine(bundle)


def totals(bundle: Bundle, user: str) -> NDArray[np.float64]:
    """float64 (n_items,): the score of every item, worked out without any search."""
    row, neighbours = int(user[1:]), bundle.model.neighbours
    assert neighbours is not None
    embeddings = bundle.model.embeddings
    products = embeddings.scoring_items.astype(np.float64) @ embeddings.users[row]
    used = np.flatnonzero(bundle.history[row].toarray()[0])
    return np.asarray(products + neighbours.strength * neighbours.weights.toarray()[used].sum(axis=0, dtype=float))


def listed(answer: Answer) -> tuple[list[int], list[float]]:
    return [int(item.item_id[1:]) for item in answer.items], [item.score for item in answer.items]


EVEN = [f"i{number:04}" for number in range(0, N_ITEMS, 2)]
ASKED: dict[str, tuple[dict[str, Any], Any]] = {
    "list": ({}, np.ones(N_ITEMS, np.bool_)),
    "few pass a filter": ({"filter": "id < 'i0400'"}, np.arange(N_ITEMS) < 400),
    "many pass a filter": ({"filter": "id >= 'i0010'"}, np.arange(N_ITEMS) >= 10),
    "include": ({"include": EVEN}, np.arange(N_ITEMS) % 2 == 0),
    "exclude": ({"exclude": EVEN}, np.arange(N_ITEMS) % 2 == 1),
}


@pytest.mark.parametrize(("asked", "allowed"), ASKED.values(), ids=ASKED.keys())
def test_lists_are_in_the_order_of_both_parts(
    engine: Engine, bundle: Bundle, asked: dict[str, Any], allowed: NDArray[np.bool_]
) -> None:
    questions = [Question(user_id=user, k=25, **asked) for user in USERS]
    for user, answer in zip(USERS, engine.ask_many(questions), strict=True):
        scores = np.where(allowed, totals(bundle, user), -np.inf)
        scores[bundle.history[int(user[1:])].indices] = -np.inf
        items, found = listed(answer)
        best = np.argsort(-scores, kind="stable")[:25]
        assert items == best.tolist()
        assert found == pytest.approx(scores[best], rel=1e-6)
        assert engine.ask(Question(user_id=user, k=25, **asked)) == answer


def test_the_neighbours_change_lists(engine: Engine, large_engine: Engine) -> None:
    assert all(listed(engine.recommend(user)) != listed(large_engine.recommend(user)) for user in USERS)


def test_exported_lists_are_those_of_questions(engine: Engine) -> None:
    n_lists = 0
    for users, top in engine.iter_all(12, batch=50):
        for user, (indices, scores) in zip(users, top.rows(), strict=True):
            assert listed(engine.recommend(user, k=12)) == (indices.tolist(), scores.tolist())
            n_lists += 1
    assert n_lists == 163


def test_a_stored_history_and_the_same_events_give_the_same_list(engine: Engine, bundle: Bundle) -> None:
    for user, row in (("w0", 1), ("w1", 5), ("w2", 17)):
        events = tuple(Event(f"i{item:04}") for item in bundle.history[row].indices)
        given = engine.ask(Question(events=events, k=20, explain=True))
        assert given.items == engine.ask(Question(user_id=user, k=20, explain=True)).items


def test_candidates_get_the_scores_of_the_list(engine: Engine) -> None:
    for user in USERS:
        answer = engine.recommend(user, k=40)
        ranked = engine.rank([item.item_id for item in reversed(answer.items)], user_id=user)
        assert [(item.item_id, item.score) for item in ranked.items] == [
            (item.item_id, item.score) for item in answer.items
        ]


def test_a_boosted_item_from_far_below_is_scored_by_both_parts(engine: Engine, bundle: Bundle) -> None:
    """Items that the user's neighbours add to, and that are not among the candidates."""
    for user in USERS[:3]:
        scores = totals(bundle, user)
        scores[bundle.history[int(user[1:])].indices] = -np.inf
        item = int(np.argsort(-scores, kind="stable")[60])
        (first, *_) = engine.ask(Question(user_id=user, k=3, boosts={f"i{item:04}": 50.0})).items
        assert first.item_id == f"i{item:04}"
        assert first.score == pytest.approx(50 * scores[item], rel=1e-5)


def test_a_diverse_list_starts_with_the_best_by_both_parts(engine: Engine) -> None:
    for user in USERS:
        best = engine.recommend(user, k=1).items[0]
        assert engine.ask(Question(user_id=user, k=5, diversity=0.4)).items[0] == best


def test_reasons_name_what_the_neighbours_add_and_sum_to_the_score(engine: Engine, bundle: Bundle) -> None:
    """With three items in the history none is left unnamed but those that take from the score."""
    neighbours = bundle.model.neighbours
    assert neighbours is not None
    history = sp.csr_matrix((np.ones(3, np.float32), ([0, 0, 0], [3, 700, 2_000])), shape=(1, N_ITEMS))
    answer = engine.ask(Question(events=tuple(map(Event, ("i0003", "i0700", "i2000"))), k=10, explain=True))
    parts = bundle.model.contributions(history, np.array(listed(answer)[0], np.int32))
    local = neighbours.contributions(history, np.array(listed(answer)[0], np.int32))
    assert (local.max(axis=1) > 0).all()
    for item, row in zip(answer.items, parts, strict=True):
        assert item.reasons is not None
        assert [reason.contribution for reason in item.reasons] == pytest.approx(sorted(row[row > 0])[::-1])
        assert item.rest == pytest.approx(row[row <= 0].sum(), abs=1e-4)
        assert sum(reason.contribution for reason in item.reasons) + item.rest == pytest.approx(item.score)


def test_a_user_without_a_vector_gets_popular_items_whatever_the_neighbours_add(engine: Engine) -> None:
    answers = engine.recommend_many(["u0010", "u0001", "u0020"])
    assert [answer.user_status for answer in answers] == ["fallback", "known", "fallback"]
    assert listed(answers[0])[1] == sorted(listed(answers[0])[1], reverse=True)
    assert answers == [engine.recommend(user) for user in ("u0010", "u0001", "u0020")]


@pytest.mark.parametrize("family", FAMILIES)
def test_an_approximate_index_misses_no_neighbour(bundle: Bundle, engine: Engine, family: str) -> None:
    """Although it looks at few items: what the neighbours add decides these lists."""
    strong = bundle.model.with_neighbours(bundle.model.neighbours.with_strength(1e4))
    index = build_approximate(FAMILIES[family], bundle.index.exact, seed=1, progress=silent)
    index = index.with_parameters(SearchParameters(12, 1))
    approximate = Engine(replace(bundle, model=strong, index=index))
    questions = [Question(user_id=user, k=10, exclude_seen=False) for user in USERS]
    found, exact = (
        [listed(each) for each in one.ask_many(questions)] for one in (approximate, approximate.with_exact_search())
    )
    assert found == exact
