"""Users whom training left out, and whose history the version stores: served as their own events would be."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.folded_users import FoldedUsers
from recsys.data.id_map import IdMap
from recsys.data.matrix import csr_from_pairs, presence
from recsys.engine import Engine, Event, Question
from recsys.engine.answers import USER_WITHOUT_VECTOR
from recsys.errors import UnknownUserError


@pytest.fixture(scope="module")
def folded(large: Bundle) -> Bundle:
    """`large` with 40 more users; the last of them has no history."""
    rng = np.random.default_rng(3)
    history = sp.random(40, 3_000, density=0.002, format="lil", rng=rng, dtype=np.float32)
    history[39] = 0
    users, _ = IdMap.of([f"w{number:02}" for number in range(40)])
    return replace(large, folded_in=FoldedUsers(users, presence(history.tocsr())))


@pytest.fixture(scope="module")
def engine(folded: Bundle) -> Engine:
    return Engine(folded)


def events_of(bundle: Bundle, row: int) -> tuple[Event, ...]:
    assert bundle.folded_in is not None
    history = bundle.folded_in.history[row]
    return tuple(map(Event, bundle.items.ids.decode(history.indices)))


def test_the_list_is_that_of_the_same_events(engine: Engine, folded: Bundle) -> None:
    for row in range(5):
        stored = engine.ask(Question(user_id=f"w{row:02}", k=9, explain=True))
        given = engine.ask(Question(events=events_of(folded, row), k=9, explain=True))
        assert stored.user_status == "folded_in"
        assert stored.warnings == ()
        assert stored.items == given.items
        assert stored.items[0].reasons


def test_seen_items_are_left_out_unless_asked(engine: Engine, folded: Bundle) -> None:
    seen = {event.item_id for event in events_of(folded, 0)}
    assert seen.isdisjoint(item.item_id for item in engine.recommend("w00", k=1000).items)
    everything = engine.recommend("w00", k=1000, exclude_seen=False)
    assert seen & {item.item_id for item in everything.items}


def test_what_lists_leave_out_may_be_apart_from_the_history(folded: Bundle) -> None:
    assert folded.folded_in is not None
    users, history = folded.folded_in.users, folded.folded_in.history
    none = np.zeros(0, np.int32)
    nothing = FoldedUsers(users, history, seen=csr_from_pairs(none, none, np.zeros(0, np.float32), history.shape))
    answer = Engine(replace(folded, folded_in=nothing)).recommend("w00", k=50)
    assert answer.items == Engine(folded).recommend("w00", k=50, exclude_seen=False).items


def test_events_are_added_to_the_stored_history(engine: Engine, folded: Bundle) -> None:
    more = (Event("i0007"), Event("i2000"))
    both = engine.ask(Question(user_id="w01", events=more, k=9))
    assert both.items == engine.ask(Question(events=(*events_of(folded, 1), *more), k=9)).items
    assert both.warnings == ()


def test_candidates_similar_users_and_the_history(engine: Engine, folded: Bundle) -> None:
    ids = ["i0007", "i2000", "i0900"]
    assert engine.rank(ids, user_id="w02").items == engine.rank(ids, events=events_of(folded, 2)).items
    assert engine.rank(ids, user_id="w02").user_status == "folded_in"
    alike = engine.similar_users("w02", k=3)
    vector = folded.model.fold_in(folded.folded_in.history[2])[0]  # type: ignore[union-attr]
    vectors = folded.model.embeddings.users
    cosines = vectors @ vector / np.linalg.norm(vector) / np.maximum(np.linalg.norm(vectors, axis=1), 1e-9)
    assert [user.user_id for user in alike.users] == folded.users.decode(np.argsort(-cosines)[:3].tolist())
    assert {item.item_id for item in engine.history("w02")} == {event.item_id for event in events_of(folded, 2)}


def test_a_history_without_vectors_is_a_fallback(engine: Engine) -> None:
    answer = engine.recommend("w39")
    assert (answer.user_status, answer.warnings) == ("fallback", (USER_WITHOUT_VECTOR,))


def test_a_strict_question_knows_them(engine: Engine) -> None:
    assert engine.ask(Question(user_id="w03", strict=True)).user_status == "folded_in"
    with pytest.raises(UnknownUserError):
        engine.ask(Question(user_id="w99", strict=True))


def test_everybodys_lists_have_theirs_at_the_end(engine: Engine, folded: Bundle, large_engine: Engine) -> None:
    assert engine.user_ids is folded.users
    assert len(engine.folded_user_ids) == 40
    assert len(large_engine.folded_user_ids) == 0
    users, lists = [], []
    for ids, top in engine.iter_all(6, batch=37):
        users += ids
        lists += [engine.item_ids.decode(indices) for indices, _ in top.rows()]
    assert users == [*engine.user_ids.ids.to_pylist(), *engine.folded_user_ids.ids.to_pylist()]
    assert lists == [[item.item_id for item in answer.items] for answer in engine.recommend_many(users, k=6)]


def test_known_users_are_served_as_before(engine: Engine, large_engine: Engine) -> None:
    assert engine.recommend_many(["u0001", "u0010", "nobody"]) == large_engine.recommend_many(
        ["u0001", "u0010", "nobody"]
    )


@pytest.mark.parametrize(
    "bounds", [(0, 37, 160, 200), (0, 150, 163, 200), (0, 200), (0, 0, 200, 500)], ids=lambda each: str(each)
)
def test_ranges_of_users_are_everybody_once_in_order(engine: Engine, bounds: tuple[int, ...]) -> None:
    assert engine.n_listed == 200
    whole, parts = _lists(engine, None), []
    for start, stop in pairwise(bounds):
        parts += _lists(engine, range(start, stop))
    assert parts == whole


def _lists(engine: Engine, users: range | None) -> list[tuple[str, list[int]]]:
    found = engine.iter_all(6, batch=37, users=users)
    return [
        (user_id, indices.tolist())
        for ids, top in found
        for user_id, (indices, _) in zip(ids, top.rows(), strict=True)
    ]
