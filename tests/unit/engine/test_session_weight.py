"""How much the events of a request count against a stored history."""

from dataclasses import replace

import numpy as np
import pytest
import scipy.sparse as sp

from recsys.artifacts.bundle import Bundle
from recsys.artifacts.manifest import VersionFacts, new_manifest, session_weight_of
from recsys.engine import Engine, Event, Question
from recsys.engine.user_profiles import UserProfiles, row_of
from recsys.models.neighbours.weights import NeighbourWeights

SESSION = (Event("i0007"), Event("i2000"))


def weighing(bundle: Bundle, session_weight: object) -> Bundle:
    facts = VersionFacts(config={"model": {"session_weight": session_weight}})
    return replace(bundle, manifest=new_manifest({}, facts))


def known_user(bundle: Bundle) -> str:
    """A user with more than ten items, none of them in the session."""
    session = bundle.items.ids.encode([event.item_id for event in SESSION])[0]
    taken = np.asarray(bundle.history[:, session].sum(axis=1)).ravel() > 0
    row = int(np.flatnonzero((np.diff(bundle.history.indptr) > 10) & ~taken)[0])
    return bundle.users.id_at(row)


def score_of(engine: Engine, item: str, **question: object) -> float:
    return engine.rank([item], **question).items[0].score  # type: ignore[arg-type]


def test_a_session_that_weighs_more_brings_the_list_nearer_to_its_own(large: Bundle) -> None:
    user = known_user(large)
    alone = {item.item_id for item in Engine(large).ask(Question(events=SESSION, k=50)).items}
    shared = []
    for weight in (1, 10, 1000):
        engine = Engine(weighing(large, weight))
        listed = {item.item_id for item in engine.ask(Question(user_id=user, events=SESSION, k=50)).items}
        shared.append(len(alone & listed))
    assert shared[0] < shared[1] < shared[2]


def with_neighbours(bundle: Bundle) -> Bundle:
    """Items 100 to 109 are the neighbours of every seventh item, one of the session among them."""
    weights = sp.lil_matrix((3_000, 3_000), dtype=np.float32)
    for item in range(0, 3_000, 7):
        weights[item, [100 + at for at in range(10) if 100 + at != item]] = 0.01
    return replace(bundle, model=bundle.model.with_neighbours(NeighbourWeights(sp.csr_matrix(weights), 2.0)))


def test_neighbours_of_a_session_count_more(large: Bundle) -> None:
    user, item = known_user(large), large.items.ids.id_at(105)
    question = {"user_id": user, "events": SESSION}
    by_weight = []
    for weight in (1, 8):
        without = weighing(large, weight)
        by_neighbours = score_of(Engine(with_neighbours(without)), item, **question)
        by_weight.append(by_neighbours - score_of(Engine(without), item, **question))
    assert by_weight[1] > by_weight[0] > 0


@pytest.mark.parametrize("neighbours", [False, True])
def test_reasons_candidates_and_lists_agree(large: Bundle, neighbours: bool) -> None:
    version = weighing(with_neighbours(large) if neighbours else large, 8)
    user, engine = known_user(version), Engine(version)
    answer = engine.ask(Question(user_id=user, events=SESSION, k=5, explain=True))
    for item in answer.items:
        assert score_of(engine, item.item_id, user_id=user, events=SESSION) == item.score
    profile = UserProfiles(version).profile(Question(user_id=user, events=SESSION))
    history = row_of(*profile.history, n_items=len(version.items.ids))
    targets, _ = version.items.ids.encode([item.item_id for item in answer.items])
    parts = version.model.contributions(history, targets, emphasis=profile.emphasis)
    np.testing.assert_allclose(parts.sum(axis=1), [item.score for item in answer.items], rtol=1e-3)
    largest = max(answer.items[0].reasons, key=lambda reason: reason.contribution)
    assert largest.contribution == pytest.approx(parts[0].max())


def test_visitors_and_users_without_events_are_as_before(large: Bundle) -> None:
    user = known_user(large)
    for question in (Question(events=SESSION, k=20), Question(user_id=user, k=20)):
        before, after = (Engine(weighing(large, weight)).ask(question).items for weight in (1, 50))
        assert before == after


def test_what_is_returned_does_not_count_more(small: Bundle) -> None:
    log = {"non_positive": "net", "value": "v"}
    facts = VersionFacts(config={"model": {"session_weight": 9}, "log": log, "prepare": {}})
    profiles = UserProfiles(replace(small, manifest=new_manifest({}, facts)))
    back = profiles.profile(Question(user_id="u0001", events=(Event("i0002", value=-1.0),)))
    assert back.history[1].tolist() == [1, 1]
    assert back.emphasis is None


@pytest.mark.parametrize(("sealed", "used"), [(None, 1.0), (2.5, 2.5), (0, 1.0), ("x", 1.0)])
def test_versions_without_one_weigh_everything_alike(small: Bundle, sealed: object, used: float) -> None:
    assert session_weight_of(weighing(small, sealed).manifest) == used
