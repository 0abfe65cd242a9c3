"""The session weight over HTTP: what a known user does now counts as the version's manifest says."""

from collections.abc import Callable
from pathlib import Path

import pytest

from api.settings import Settings
from recsys.artifacts.registry import Registry
from recsys.engine import Engine, Event, Question

Listed = Callable[[float | None], tuple[Path, list[tuple[str, float]]]]

# ada has all of her group's items but dune, and this is one of the other group.
NOW = "AC/DC"
QUESTION = {"user_id": "ada", "events": [{"item_id": NOW}], "k": 5}


@pytest.fixture(scope="module")
def listed(
    tmp_path_factory: pytest.TempPathFactory, publish: Callable[..., str], started: Callable[..., object]
) -> Listed:
    """listed(weight): the store of a version with this session weight, and its answer, items with their scores."""

    def ask(weight: float | None) -> tuple[Path, list[tuple[str, float]]]:
        store = tmp_path_factory.mktemp("weighing") / "store"
        publish(store, session_weight=weight)
        reply = started(Settings(store=store)).send("POST", "/v1/recommendations", json=QUESTION)  # type: ignore[attr-defined]
        assert reply.status_code == 200
        return store, [(item["item_id"], item["score"]) for item in reply.json()["items"]]

    return ask


def test_the_list_moves_as_the_weight_says(listed: Listed) -> None:
    """A history of four books and a song: the fifth book leads, until the song counts more than the books."""
    unweighed, heavy = listed(1.0)[1], listed(100.0)[1]
    places = [[item for item, _ in items].index("dune") for items in (unweighed, heavy)]
    assert places == [0, len(heavy) - 1]
    assert {item for item, _ in unweighed} == {item for item, _ in heavy}
    assert NOW not in dict(unweighed) | dict(heavy)


def test_a_version_that_does_not_say_has_weight_1(listed: Listed) -> None:
    assert listed(None)[1] == listed(1.0)[1]


@pytest.mark.parametrize("weight", [1.0, 7.0])
def test_it_is_the_list_of_the_engine(listed: Listed, weight: float) -> None:
    store, items = listed(weight)
    answer = Engine(Registry(store).load()).ask(Question(user_id="ada", events=(Event(NOW),), k=5))
    assert items == [(item.item_id, item.score) for item in answer.items]
