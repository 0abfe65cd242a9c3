"""Guardrails in the service: what is counted by arm, and what that ends."""

import asyncio
from pathlib import Path

import pytest

from api.engines.arm_lists import WINDOW_SECONDS, ArmLists
from api.metrics import Metrics
from api.stores.arm_watch import CLICKS_SECONDS, ArmWatch
from api.stores.model_watch import RETRY_SECONDS, ModelWatch
from recsys.artifacts.experiments import Experiments
from recsys.artifacts.registry import Registry
from recsys.engine import Answer
from recsys.engine.answers import Ranked
from recsys.errors import EventStoreError, InvalidRequestError
from recsys.experiments.guardrails import Breach, Guards
from recsys.experiments.plan import Goal

GOAL = Goal(effect=0.1, baseline=0.05, needed_once=1_000, needed=1_500, tightest_at=1e-5)
FULL = Answer(model_version="v", requested=1, items=(Ranked("a", 1.0, 1, None),))
EMPTY = Answer(model_version="v", requested=1, items=())


class Clock:
    now = 1_000.0

    def __call__(self) -> float:
        return self.now


async def answering(result, seconds=0.0):
    await asyncio.sleep(seconds)
    if isinstance(result, Exception):
        raise result
    return result


def give(lists: ArmLists, arm, n, result, seconds=0.0):
    async def all_of_them():
        for _ in range(n):
            try:
                await lists.watched(arm, answering(result, seconds))
            except Exception as error:
                assert error is result

    asyncio.run(all_of_them())


@pytest.mark.parametrize(
    ("result", "guard"),
    [
        (FULL, None),
        (EMPTY, "empty"),
        (RuntimeError("broken"), "errors"),
        (InvalidRequestError("k: expected ..."), None),  # the client's mistake
    ],
)
def test_what_breaks_a_guardrail(result, guard):
    lists = ArmLists(Guards(), Metrics())
    give(lists, "control", 300, FULL)
    give(lists, "treatment", 300, result)
    breach = lists.breach()
    assert (breach and breach.guard) == guard


def test_slow_lists_break_a_guardrail():
    lists = ArmLists(Guards(max_seconds=0.001), Metrics())
    give(lists, "control", 300, FULL)
    give(lists, "treatment", 220, FULL, seconds=0.0015)
    breach = lists.breach()
    assert breach is not None
    assert breach.guard == "slow"
    assert "lists took longer than 0.001 s, of control" in breach.message


def test_batches_count_every_list():
    lists = ArmLists(Guards(), Metrics())
    give(lists, "control", 3, [FULL] * 100)
    give(lists, "treatment", 3, [EMPTY, FULL] * 50)
    assert "150 of 300 lists were empty" in str(lists.breach())


def test_what_was_before_the_window_is_forgotten():
    clock = Clock()
    lists = ArmLists(Guards(), Metrics(), clock=clock)
    give(lists, "treatment", 300, EMPTY)
    assert lists.breach()
    clock.now += WINDOW_SECONDS + 1
    assert lists.breach() is None


@pytest.fixture
def running(tmp_path, publish):
    store = tmp_path / "store"
    older, current = publish(store, seed=1), publish(store, seed=2)
    experiments = Experiments(Registry(store))
    experiments.start(control=current, treatment=older, share=0.5, goal=GOAL)
    return store, experiments


def watch_of(store: Path, **options) -> tuple[ArmWatch, Metrics]:
    metrics = Metrics()
    model = ModelWatch(store, metrics)
    model.refresh()
    watch = ArmWatch(store, metrics, load=model.load, **options)
    watch.refresh()
    return watch, metrics


def test_a_broken_guardrail_ends_the_experiment_for_all_services(running, caplog):
    store, experiments = running
    watch, metrics = watch_of(store)
    other, _ = watch_of(store)
    give(watch.split.lists, "treatment", 300, EMPTY)
    watch.refresh()
    assert watch.split is None
    ended = experiments.now()
    assert (ended.stop.by, ended.stop.reason) == ("empty", "300 of 300 lists were empty, of control 0 of 0")
    assert Registry(store).experiment_history()[-1].by == "empty"
    assert 'recsys_experiment_breaches_total{guardrail="empty"} 1.0' in metrics.exposition().decode()
    assert "is ended by its guardrail empty: 300 of 300" in caplog.text
    other.refresh()
    assert other.split is None


def test_if_the_store_cannot_be_written_it_is_ended_here(running, caplog):
    store, experiments = running
    watch, _ = watch_of(store)
    give(watch.split.lists, "treatment", 300, EMPTY)
    (store / ".pointer.lock").unlink()
    (store / ".pointer.lock").mkdir()  # root, who runs tests, may write to a folder without permissions
    for _ in range(2):
        watch.refresh()
        assert watch.split is None
    assert experiments.now().runs
    assert "goes on elsewhere" in caplog.text


def test_click_through_is_looked_at_now_and_then(running):
    store, experiments = running
    clock, looks = Clock(), []

    def check(experiment):
        looks.append(experiment.salt)
        if len(looks) == 1:
            raise EventStoreError("events.db: is gone", "unavailable")
        if len(looks) == 2:
            raise ValueError("what nobody thought of")
        return Breach("click_through", "far below") if len(looks) == 3 else None

    watch, _ = watch_of(store, check_clicks=check, clock=clock)
    for expected in (1, 2, 3):
        clock.now += CLICKS_SECONDS
        watch.refresh()
        watch.refresh()
        assert len(looks) == expected
    assert experiments.now().stop.by == "click_through"


def test_an_arm_that_could_not_be_loaded_is_tried_again(running):
    store, experiments = running
    damaged = store / "versions" / experiments.now().treatment / "popularity.npy"
    sound = damaged.read_bytes()
    damaged.write_bytes(b"damaged")
    clock = Clock()
    watch, _ = watch_of(store, clock=clock)
    assert watch.split is None
    assert watch.trouble is not None
    damaged.write_bytes(sound)
    watch.refresh()
    assert watch.split is None  # not at every look
    clock.now += RETRY_SECONDS
    watch.refresh()
    assert watch.split is not None
    assert watch.trouble is None


def test_a_file_that_is_damaged_while_it_runs_suspends_the_split_until_it_is_sound(running):
    store, experiments = running
    clock = Clock()
    watch, _ = watch_of(store, clock=clock)
    sound = experiments.path.read_bytes()
    experiments.path.write_bytes(sound[:-20])
    watch.refresh()
    assert watch.split is None
    assert watch.trouble is not None
    experiments.path.write_bytes(sound)
    clock.now += RETRY_SECONDS
    watch.refresh()
    assert watch.split is not None
