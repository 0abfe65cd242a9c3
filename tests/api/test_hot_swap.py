"""Versions that take over under load: `benchmarks/hot_swap.py` does the same two hundred times, in processes."""

import asyncio
import threading
import weakref
from pathlib import Path

import pytest

from api.engines.served_engine import ServedEngine
from api.settings import Settings
from api.stores.model_watch import ModelWatch
from recsys.artifacts.registry import Registry
from recsys.engine import Engine, Question

USERS = ["ada", "bob", "eve", "gus"]
SWAPS = 5
FILTER = "price is missing"


@pytest.fixture
def versions(tmp_path, publish):
    """Two versions in the store `tmp_path`, whose lists differ; the second serves."""
    return publish(tmp_path), publish(tmp_path, seed=2)


def swap(store: Path, versions: tuple[str, str], taken_over: threading.Barrier) -> None:
    for number in range(SWAPS):
        Registry(store).publish(versions[number % 2])
        taken_over.wait(30)


def lists_of(store: Path, version: str) -> dict[str, list[tuple[str, float]]]:
    engine = Engine(Registry(store).load(version))
    return {user: [(item.item_id, item.score) for item in engine.recommend(user).items] for user in USERS}


def test_every_reply_is_whole_and_of_one_version(start, tmp_path, versions):
    service = start(Settings(store=tmp_path, poll_seconds=0.01))
    expected = {version: lists_of(tmp_path, version) for version in versions}
    assert expected[versions[0]] != expected[versions[1]]
    taken_over = threading.Barrier(2)
    publisher = threading.Thread(target=swap, args=(tmp_path, versions, taken_over))
    publisher.start()
    serving, swaps = versions[1], 0
    while swaps < SWAPS:
        replies = service.get_together([f"/v1/users/{user}/recommendations" for user in USERS])
        for user, reply in zip(USERS, replies, strict=True):
            body = reply.json()
            assert reply.status_code == 200
            assert reply.headers["x-model-version"] == body["model_version"]
            found = [(item["item_id"], item["score"]) for item in body["items"]]
            assert found == expected[body["model_version"]][user]
        if body["model_version"] != serving:
            serving, swaps = body["model_version"], swaps + 1
            taken_over.wait(30)
        service.wait(0.005)
    publisher.join(30)


async def ask_for_lists(engine: ServedEngine) -> None:
    await engine.ask(Question(user_id="ada", filter=FILTER))
    await engine.similar("dune", k=3, filter=FILTER)


def test_a_version_that_nobody_uses_any_more_is_forgotten_at_once(tmp_path, versions, without_collector):
    """What refers to itself waits for the garbage collector: versions piled up in memory, one a night."""
    watch = ModelWatch(tmp_path)
    watch.refresh()
    asyncio.run(ask_for_lists(watch.engine))
    served = weakref.ref(watch.engine)
    assert served() is not None
    Registry(tmp_path).publish(versions[0])
    watch.refresh()
    assert served() is None


def test_a_version_that_answered_together_is_forgotten_too(start, tmp_path, versions, without_collector):
    service = start(Settings(store=tmp_path, poll_seconds=0.01))
    watch = service.app.user_middleware[0].kwargs["stores"].only.watch
    service.get_together([f"/v1/users/{user}/recommendations" for user in USERS])
    served = weakref.ref(watch.engine)
    Registry(tmp_path).publish(versions[0])
    while watch.engine is None or watch.engine.version != versions[0]:
        service.wait(0.01)
    service.get("/livez")
    for _ in range(500):  # a thread may be about to let go of it
        if served() is None:
            break
        service.wait(0.01)
    assert served() is None
