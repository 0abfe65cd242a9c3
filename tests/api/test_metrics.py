import asyncio
import inspect
import os
import re
import shutil
import struct
import threading
from pathlib import Path
from typing import get_args

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api import metrics
from api.engines.served_engine import ServedEngine
from api.metrics import Metrics
from api.replica_metrics import ReplicaCollector
from api.settings import Settings
from recsys.artifacts.registry import Registry
from recsys.engine import Question
from recsys.engine.event_rules import Refusal
from recsys.engine.pages import Page
from recsys.engine.scenarios import Row
from recsys.replica import Status

LIST = "/v1/users/ada/recommendations"


@pytest.fixture
def shop(start, store):
    """A service of one's own, which has counted nothing yet."""
    return start(Settings(store=store))


def test_they_are_written_in_a_thread_while_the_event_loop_answers_others(shop):
    threads = []
    counted = shop.app.user_middleware[0].kwargs["metrics"]
    counted.in_flight.set_function(lambda: threads.append(threading.get_ident()) or 7)
    assert read(shop)[("recsys_requests_in_flight",)] == 7
    assert threading.get_ident() not in threads  # the event loop runs in the test's own thread


def read(service):
    """Every sample of /metrics: name and labels to value."""
    return samples(service.get("/metrics").text)


def samples(text):
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def total(found, name):
    return sum(value for (sample, *_), value in found.items() if sample == name)


def test_the_format_is_prometheus(service):
    reply = service.get("/metrics")
    assert reply.status_code == 200
    assert reply.headers["content-type"].startswith("text/plain; version=")
    assert reply.text.endswith("\n")


def test_requests_are_counted_by_template_and_status_and_timed(shop):
    for path in (LIST, LIST, "/v1/users/bob/recommendations", f"{LIST}?k=0", "/hunter2"):
        shop.get(path)
    shop.send("HUNTER2", LIST)
    found, route = read(shop), "/v1/users/{user_id}/recommendations"
    assert found["recsys_requests_total", "/v1/users/{user_id}/recommendations", "200", "GET"] == 3
    assert found["recsys_requests_total", route, "422", "GET"] == 1
    assert found["recsys_requests_total", "-", "404", "GET"] == 1
    assert found["recsys_requests_total", route, "405", "other"] == 1
    assert found["recsys_request_seconds_count", route] == 5
    assert 0 < found["recsys_request_seconds_sum", route] < 60
    assert found["recsys_request_seconds_bucket", "+Inf", route] == 5


def test_the_request_that_asks_is_the_one_in_flight(shop):
    shop.get(LIST)
    assert read(shop)["recsys_requests_in_flight",] == 1
    assert read(shop)["recsys_requests_in_flight",] == 1


def test_lists_are_counted_by_how_they_came_about(shop):
    counted = {value for (name, *_), value in read(shop).items() if name == "recsys_lists_total"}
    assert counted == {0}, "warming up gives no list"
    for path in (LIST, "/v1/users/stranger/recommendations?k=3", "/v1/users/x/recommendations?k=3"):
        shop.get(path)
    shop.get("/v1/items/dune/similar?k=2")
    shop.get("/v1/items/none/similar?k=2")
    found = read(shop)
    assert found["recsys_lists_total", "known", "recommendations"] == 1
    assert found["recsys_lists_total", "fallback", "recommendations"] == 2
    assert found["recsys_lists_total", "none", "similar_items"] == 1
    assert {name: value for name, value in found.items() if name[0] == "recsys_short_lists_total" and value} == {
        ("recsys_short_lists_total", "recommendations"): 1
    }


PAGE = Page(question=Question(user_id="ada"), rows=(Row(kind="for_you", k=1), Row(kind="popular", k=1)))
CALLS = {
    "ask": lambda engine: engine.ask(Question(user_id="ada", k=3)),
    "ask_many": lambda engine: engine.ask_many([Question(user_id="ada"), Question(user_id="stranger")]),
    "page": lambda engine: engine.page(PAGE),
    "rank": lambda engine: engine.rank(["dune", "ubik"], user_id="ada", events=()),
    "search": lambda engine: engine.search("dune", k=3, filter=None),
    "similar": lambda engine: engine.similar("dune", k=3, filter=None),
    "similar_to": lambda engine: engine.similar_to(["dune"], ["ubik"], k=3, filter=None),
    "similar_users": lambda engine: engine.similar_users("ada", k=3),
}
"""A question for each method of ServedEngine that asks one."""

UNCOUNTED = {"find_items", "find_users", "overview", "preview"}
"""What is looked up in a thread, and a list of another version that only the explorer shows: no list is given."""


def test_every_list_that_an_engine_gives_is_counted(store):
    questions = {name for name, _ in inspect.getmembers(ServedEngine, inspect.iscoroutinefunction) if name[0] != "_"}
    assert questions - UNCOUNTED == CALLS.keys(), "a new question needs an example here"
    for name, ask in CALLS.items():
        counts = Metrics()
        engine = ServedEngine(Registry(store).load(), counts)
        engine.warm_up()
        asyncio.run(ask(engine))
        text = counts.exposition(None).decode()
        assert total(samples(text), "recsys_lists_total") == (2 if name in ("ask_many", "page") else 1), name


def test_an_engine_gives_no_list_otherwise():
    """Its other public names are known, and none of them answers a question."""
    public = {name for name in dir(ServedEngine) if name[0] != "_"} - CALLS.keys() - UNCOUNTED
    views = {"item", "item_map", "items", "manifest", "map", "n_items", "serving_model", "version", "warm_up"}
    views |= {"history", "stored_data"}
    assert public == views | {
        "check_posted",
        "check_update",
        "has_item",
        "use_changes",
        "in_arm",
        "key",
        "changes_seen",
        "unseen",  # the same engine for HEAD, whose lists are no impressions
    }


def test_every_route_that_replies_with_lists_is_counted(shop):
    document = shop.get("/openapi.json").json()
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            if method == "head" or "application/json" not in (content := operation["responses"]["200"]["content"]):
                continue
            reply = document["components"]["schemas"][content["application/json"]["schema"]["$ref"].split("/")[-1]]
            gives_lists = bool(reply["properties"].keys() & {"requested", "returned", "answers", "rows"})
            before = total(read(shop), "recsys_lists_total")
            example = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("example")
            options = {} if example is None else {"json": example}
            asked = path.replace("{user_id}", "ada").replace("{item_id}", "dune")
            if needed := [
                it["name"] for it in operation.get("parameters", ()) if it.get("required") and it["in"] == "query"
            ]:
                options["params"] = dict.fromkeys(needed, "d")
            assert shop.send(method.upper(), asked, **options).status_code == 200
            assert (total(read(shop), "recsys_lists_total") > before) == gives_lists, path


def test_the_model_that_serves(shop, store):
    found = read(shop)
    assert found["recsys_model_loaded",] == 1
    assert found["recsys_model_info", (store / "CURRENT").read_text().strip()] == 1
    assert 0 <= found["recsys_model_age_seconds",] < 3600


def test_before_a_model_is_loaded(start, tmp_path):
    found = read(start(Settings(store=tmp_path)))
    assert found["recsys_model_loaded",] == 0
    assert not any(name in ("recsys_model_info", "recsys_model_age_seconds") for name, *_ in found)
    assert (found["recsys_reloads_total", "ok"], found["recsys_reloads_total", "failed"]) == (0, 0)


def test_reloads_are_counted_and_an_old_version_leaves_no_series(start, store, tmp_path, publish):
    shop = shutil.copytree(store, tmp_path / "store")
    service = start(Settings(store=shop, admin_key="correct horse battery"))
    authorised = {"Authorization": "Bearer correct horse battery"}
    second = publish(shop, seed=2)
    assert service.send("POST", "/admin/reload", headers=authorised).json() == {"model_version": second}
    (shop / "CURRENT").write_text("rubbish\n")
    assert service.send("POST", "/admin/reload", headers=authorised).status_code == 409
    found = read(service)
    assert (found["recsys_reloads_total", "ok"], found["recsys_reloads_total", "failed"]) == (2, 1)
    assert [version for name, *version in found if name == "recsys_model_info"] == [[second]]


@pytest.mark.parametrize("store_name", [None, "books"])
def test_every_counter_but_that_of_requests_begins_at_zero(store_name):
    text = Metrics(store_name).exposition(None).decode()
    families = {it.name: it.samples for it in text_string_to_metric_families(text) if it.type == "counter"}
    of_service = {name: found for name, found in families.items() if name.startswith("recsys_")}
    assert [name for name, found in of_service.items() if not found] == ["recsys_requests"]
    assert {sample.value for found in of_service.values() for sample in found} == {0}
    reasons = [sample.labels["reason"] for sample in of_service["recsys_events_refused"]]
    assert sorted(reasons) == sorted(get_args(Refusal))


def test_every_metric_is_documented_and_every_documented_metric_exists(shop):
    shop.get(LIST)
    shop.get("/v1/users/stranger/recommendations?k=1000")
    text = (Path(__file__).parents[2] / "docs" / "service.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| `((?:recsys|process)_\w+)` \| (.*?) \|", text, re.MULTILINE))
    samples = [it for family in text_string_to_metric_families(shop.get("/metrics").text) for it in family.samples]
    real = {re.sub("_(bucket|sum|count)$", "", it.name): set(it.labels) - {"le"} for it in samples}
    while_it_happens = {"recsys_experiment_info": {"experiment", "arm", "version"}}  # an experiment runs
    told = {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in documented.items()}
    followed = ReplicaCollector({"": Status(followed_at=1.0)}, are_named=False).collect()  # of a store in a bucket
    of_replicas = {sample.name: set(sample.labels) for metric in followed for sample in metric.samples}
    assert told == real | while_it_happens | of_replicas


def test_what_a_dead_worker_had_in_flight_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    living, dead = tmp_path / "gauge_livesum_1.db", tmp_path / f"gauge_livesum_{2**22 + 1}.db"
    counted = tmp_path / f"counter_{2**22 + 1}.db"
    for path in (living, dead, counted):
        path.touch()
    metrics.forget_dead_workers()
    assert (living.exists(), dead.exists(), counted.exists()) == (True, False, True)


def test_a_process_is_told_apart_by_its_id(shop):
    found = read(shop)
    pid = str(os.getpid())
    assert found["process_resident_memory_bytes", pid] > 10 * 2**20
    assert found["process_cpu_seconds_total", pid] > 0
    assert [labels for name, *labels in found if name == "process_open_fds"] == [[pid]]


def test_with_several_workers_there_are_process_metrics_of_each_that_lives(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    for process in (os.getpid(), os.getppid(), 2**22 + 1):
        (tmp_path / f"counter_{process}.db").write_bytes(struct.pack("ii", 8, 0))  # the format's empty file
    text = Metrics().exposition(None).decode()
    found = [name[1] for name in samples(text) if name[0] == "process_start_time_seconds"]
    assert sorted(found) == sorted(map(str, (os.getpid(), os.getppid())))
