import inspect
import re
import shutil
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from api import metrics
from api.served import ServedEngine
from api.settings import Settings
from recsys.engine import Engine

LIST = "/v1/users/ada/recommendations"


@pytest.fixture
def shop(start, store):
    """A service of one's own, which has counted nothing yet."""
    return start(Settings(store=store))


def read(service):
    """Every sample of /metrics: name and labels to value."""
    text = service.get("/metrics").text
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


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
    assert not any(name == "recsys_lists_total" for name, *_ in read(shop)), "the first load is nobody's list"
    for path in (LIST, "/v1/users/stranger/recommendations?k=3", "/v1/users/x/recommendations?k=3"):
        shop.get(path)
    shop.get("/v1/items/dune/similar?k=2")
    shop.get("/v1/items/none/similar?k=2")
    found = read(shop)
    assert found["recsys_lists_total", "known"] == 1
    assert found["recsys_lists_total", "fallback"] == 2
    assert found["recsys_lists_total", "none"] == 1
    assert found["recsys_short_lists_total",] == 1


def test_every_method_that_answers_with_lists_is_counted():
    """The others go through them; a new one must do so, too, or be told of in ServedEngine."""
    listing = {
        name
        for name, method in inspect.getmembers(Engine, inspect.isfunction)
        if not name.startswith("_") and re.search(r"\bAnswer\b", str(inspect.signature(method).return_annotation))
    }
    through_others = {"ask", "recommend", "recommend_many", "similar"}
    assert listing - through_others == {name for name in vars(ServedEngine) if name in listing}


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


def test_every_metric_is_documented_and_every_documented_metric_exists(shop):
    shop.get(LIST)
    shop.get("/v1/users/stranger/recommendations?k=1000")
    text = (Path(__file__).parents[2] / "docs" / "service.md").read_text("utf-8")
    documented = dict(re.findall(r"^\| `(recsys_\w+)` \| (.*?) \|", text, re.MULTILINE))
    samples = [it for family in text_string_to_metric_families(shop.get("/metrics").text) for it in family.samples]
    real = {re.sub("_(bucket|sum|count)$", "", it.name): set(it.labels) - {"le"} for it in samples}
    assert {name: set(re.findall(r"`(\w+)`", labels)) for name, labels in documented.items()} == real


def test_what_a_dead_worker_had_in_flight_is_forgotten(tmp_path, monkeypatch):
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    living, dead = tmp_path / "gauge_livesum_1.db", tmp_path / f"gauge_livesum_{2**22 + 1}.db"
    counted = tmp_path / f"counter_{2**22 + 1}.db"
    for path in (living, dead, counted):
        path.touch()
    metrics.forget_dead_workers()
    assert (living.exists(), dead.exists(), counted.exists()) == (True, False, True)
