"""A version is picked up, a bad one is not, and what serves is always whole."""

import asyncio
import logging
import shutil

import pytest

from api.engines.served_engine import ServedEngine
from api.metrics import Metrics
from api.settings import Settings
from api.stores.model_watch import RETRY_SECONDS, ModelWatch
from recsys.artifacts.registry import Registry
from recsys.engine import Engine, Question
from recsys.engine.filters import filter_parser


@pytest.fixture
def shop(store, tmp_path):
    """A copy of the published store, to be changed at will."""
    return shutil.copytree(store, tmp_path / "store")


@pytest.fixture
def errors(caplog):
    caplog.set_level(logging.INFO, "api.stores.model_watch")
    return lambda: [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR]


def damage(store, version):
    path = store / "versions" / version / "popularity.npy"
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(content)


def test_an_empty_store_is_waited_for(tmp_path, publish):
    watch = ModelWatch(tmp_path)
    watch.refresh()
    assert watch.engine is None
    assert watch.reason == "no version has been published to the store yet"
    version = publish(tmp_path)
    watch.refresh()
    assert watch.engine.version == version


def test_the_same_version_is_not_loaded_again(shop):
    watch = ModelWatch(shop)
    watch.refresh()
    engine = watch.engine
    watch.refresh()
    assert watch.engine is engine


def test_a_new_version_takes_over_and_a_request_under_way_keeps_its_own(shop, publish):
    watch = ModelWatch(shop)
    watch.refresh()
    before = watch.engine
    version = publish(shop, seed=2)
    watch.refresh()
    assert watch.engine.version == version != before.version
    answer = asyncio.run(before.ask(Question(user_id="ada")))
    assert answer.model_version == before.version


def test_a_bad_new_version_is_logged_once_and_the_old_one_serves_on(shop, publish, errors):
    watch = ModelWatch(shop)
    watch.refresh()
    good = watch.engine
    bad = publish(shop, seed=2)
    damage(shop, bad)
    for _ in range(3):
        watch.refresh()
    assert watch.engine is good
    (line,) = errors()
    assert bad in line
    assert line.endswith(f"version {good.version} serves on")


def test_a_bad_version_is_tried_again_a_minute_later_and_logged_no_second_time(shop, errors):
    version = (shop / "CURRENT").read_text().strip()
    sound = (shop / "versions" / version / "popularity.npy").read_bytes()
    clock = [1000.0]
    damage(shop, version)
    watch = ModelWatch(shop, clock=lambda: clock[0])
    watch.refresh()
    clock[0] += RETRY_SECONDS
    watch.refresh()
    assert len(errors()) == 1
    (shop / "versions" / version / "popularity.npy").write_bytes(sound)
    clock[0] += RETRY_SECONDS - 1
    watch.refresh()
    assert watch.engine is None
    clock[0] += 1
    watch.refresh()
    assert watch.engine.version == version


def test_the_reason_names_the_version_but_no_path(shop):
    version = (shop / "CURRENT").read_text().strip()
    damage(shop, version)
    watch = ModelWatch(shop)
    watch.refresh()
    assert watch.reason == f"version {version} cannot be loaded; the service's log says why"


def test_a_damaged_pointer_is_logged_once_and_harmless(shop, errors):
    watch = ModelWatch(shop)
    watch.refresh()
    good = watch.engine
    (shop / "CURRENT").write_text("rubbish\n")
    for _ in range(3):
        watch.refresh()
    assert watch.engine is good
    assert len(errors()) == 1
    assert "rubbish" not in watch.reason


def test_after_a_bad_version_the_next_good_one_takes_over(shop, publish):
    watch = ModelWatch(shop)
    watch.refresh()
    damage(shop, publish(shop, seed=2))
    watch.refresh()
    version = publish(shop, seed=3)
    watch.refresh()
    assert watch.engine.version == version


def test_the_first_filter_finds_the_parser_ready(shop):
    filter_parser.cache_clear()
    registry = Registry(shop)
    Engine(registry.load())
    assert filter_parser.cache_info().currsize == 0  # the command line needs none where no filter is asked
    engine = ServedEngine(registry.load(), Metrics())
    engine.warm_up()
    assert filter_parser.cache_info().misses == 1
    assert asyncio.run(engine.ask(Question(user_id="ada", filter="price < 10"))).items
    assert filter_parser.cache_info().misses == 1


def test_the_running_service_picks_up_a_new_version(start, shop, publish):
    service = start(Settings(store=shop, poll_seconds=0.02))
    version = publish(shop, seed=2)
    for _ in range(100):
        if service.get("/readyz").json()["model_version"] == version:
            break
        service.wait(0.02)
    assert service.get("/v1/users/ada/recommendations").json()["model_version"] == version
