"""People's data over HTTP: told, and forgotten by every worker within a second."""

import json
import shutil
import time

import pytest

from api.settings import Settings
from recsys.artifacts.experiments import Experiments
from recsys.artifacts.purging import purge
from recsys.artifacts.registry import Registry
from recsys.artifacts.tombstones import add_tombstones
from recsys.event_store.database import open_database
from recsys.event_store.forgetting import held_of
from recsys.experiments.plan import Goal
from tests.byte_scan import found_in

KEY = {"Authorization": "Bearer correct horse battery"}
ADA = "/v1/users/ada"
GOAL = Goal(effect=0.1, baseline=0.05, needed_once=1_000, needed=1_500, tightest_at=1e-5)
OTHERS = ("bob", "cem", "dee", "eve", "Zoë", "gus")
WITHIN_SECONDS = 1.0
"""The promise."""


@pytest.fixture
def folder(store, tmp_path):
    return shutil.copytree(store, tmp_path / "store")


@pytest.fixture
def settings(folder, tmp_path):
    return Settings(
        store=folder,
        events=tmp_path / "events.db",
        impressions=1.0,
        admin_key="correct horse battery",
        poll_seconds=3600,
    )


@pytest.fixture
def workers(start, settings):
    """Two services on one store, as two workers or replicas are."""
    return start(settings), start(settings)


def until(read, condition, seconds=10.0):
    end = time.monotonic() + seconds
    while not condition(found := read()):
        assert time.monotonic() < end, found
    return found


def visit(service):
    """What ada does: two events of her own, one of a session that becomes hers; and lists that she is given."""
    events = [
        {"user_id": "ada", "item_id": "AC/DC"},
        {"user_id": "ada", "item_id": "a b"},
        {"session_id": "s-81", "item_id": "Björk"},
    ]
    service.send("POST", "/v1/events", json={"events": events})
    service.send("POST", f"{ADA}:merge", json={"session_id": "s-81"})
    until(lambda: service.get(f"{ADA}/recommendations").json(), lambda reply: reply.get("fresh_events") == 3)
    until(lambda: data(service), lambda reply: reply["n_impressions"] > 0)


def data(service):
    return service.get(f"{ADA}/data", headers=KEY).json()


def names_ada(service):
    """What of all that is asked for users still knows ada."""
    ranked = service.send("POST", "/v1/rank", json={"user_id": "ada", "item_ids": ["dune"]}).json()
    asked = {
        "list": service.get(f"{ADA}/recommendations").json()["user"]["status"] != "fallback",
        "history": service.get(f"{ADA}/history").status_code != 404,
        "similar": service.get(f"{ADA}/similar").status_code != 404,
        "neighbour": "ada" in service.get("/v1/users/bob/similar?k=8").text,
        "found": '"ada"' in service.get("/v1/users:find?text=ad", headers=KEY).text,
        "rank": ranked["user"]["status"] != "fallback",
        "events": service.get("/v1/events?user_id=ada", headers=KEY).json()["events"] != [],
        "data": "status" in data(service) or data(service)["n_events"] > 0,
    }
    return {name for name, known in asked.items() if known}


def test_what_is_held_is_told(workers):
    visit(workers[0])
    found = data(workers[1])
    assert (found["status"], found["user"], found["n_events"]) == ("known", {"id": "ada"}, 3)
    assert len(found["vector"]) == 4 and found["sessions"] == ["s-81"]
    assert {item["item_id"] for item in found["history"]} == {*found["seen"]} > {"dune", "solaris"} - {"dune"}
    assert len(data(workers[1])["events"]) == 3
    assert len(workers[1].get(f"{ADA}/data?limit=1", headers=KEY).json()["events"]) == 1


def test_every_worker_forgets_within_a_second(start, settings):
    one = start(settings)
    other = start(settings.model_copy(update={"impressions": 0.0}))  # whose writers do not look at the tombstones
    visit(one)
    assert names_ada(other) == {"list", "history", "similar", "neighbour", "found", "rank", "events", "data"}
    reply = one.send("DELETE", ADA, headers=KEY).json()
    began = time.monotonic()
    assert (reply["user_id"], reply["events"], reply["sessions"], reply["pending_versions"]) == ("ada", 3, 1, 1)
    assert reply["impressions"] > 0
    assert names_ada(one) == set()  # at once where it was asked
    other.wait(WITHIN_SECONDS - 0.2)
    assert names_ada(other) == set(), time.monotonic() - began
    assert held_of(open_database(settings.events.of("")), "ada", limit=1).n_impressions == 0


def test_the_key_is_needed(workers):
    assert workers[0].send("DELETE", ADA).status_code == 401
    assert workers[0].get(f"{ADA}/data").status_code == 401
    assert names_ada(workers[0]) >= {"list", "history"}


def test_lists_after_that_are_kept_without_the_id_and_events_of_before_are_refused(workers, settings):
    service = workers[0]
    service.send("DELETE", ADA, headers=KEY)
    service.get(f"{ADA}/recommendations")
    late = {"user_id": "ada", "item_id": "dune", "timestamp": time.time() - 60}
    taken = service.send("POST", "/v1/events", json={"events": [late, {**late, "user_id": "bob"}]}).json()
    assert (taken["accepted"], taken["refused"]) == (1, [{"index": 0, "code": "forgotten"}])
    database = open_database(settings.events.of(""))

    def kept():
        with database.read() as queries:
            return queries.fetch("SELECT user_id FROM impressions")

    assert until(kept, bool) == [(None,)]


def test_a_batch_and_a_page_forget_too(workers):
    service = workers[0]
    service.send("DELETE", ADA, headers=KEY)
    batch = {"requests": [{"user_id": "ada"}, {"user_id": "bob"}]}
    answers = service.send("POST", "/v1/recommendations:batch", json=batch).json()["answers"]
    assert [answer["user"]["status"] for answer in answers] == ["fallback", "known"]


def test_the_rewritten_version_is_served_and_nothing_is_left_on_disk(start, settings, folder, tmp_path):
    service = start(settings.model_copy(update={"poll_seconds": 0.05}))
    visit(service)
    before, vector = data(service)["model_version"], json.dumps(data(service)["vector"])
    service.send("DELETE", ADA, headers=KEY)
    assert len(json.loads(vector)) == 4
    done = purge(Registry(folder))
    assert [*done.rewritten] == [before] and done.problems == ()

    def now():
        service.wait(0.1)
        return data(service)["model_version"]

    until(now, lambda version: version == done.rewritten[before])
    assert names_ada(service) == set()
    assert service.get("/v1/users/bob/recommendations").json()["user"]["status"] == "known"
    service.stop()
    open_database(settings.events.of("")).scrub()
    assert found_in(tmp_path, {"id": b"ada", "session": b"s-81"}) == {}


def test_a_damaged_list_of_tombstones_is_loud_and_keeps_what_was_known(workers, folder):
    service = workers[1]
    add_tombstones(Registry(folder), ["ada"])
    service.wait(0.5)
    content = (folder / "FORGOTTEN").read_bytes()
    (folder / "FORGOTTEN").write_bytes(content.replace(b".", b"x"))
    service.wait(0.5)
    assert "who was forgotten lately is not known" in service.get("/readyz").text
    assert "list" not in names_ada(service)
    (folder / "FORGOTTEN").write_bytes(content)
    service.wait(0.5)
    assert "forgotten" not in service.get("/readyz").text


def test_an_arm_of_an_experiment_goes_on_with_the_version_that_takes_its_place(start, settings, folder, publish):
    registry = Registry(folder)
    before = registry.current()
    publish(folder, seed=2)
    Experiments(registry).start(control=before, treatment="current", share=0.5, goal=GOAL)
    service = start(settings.model_copy(update={"poll_seconds": 0.05}))
    service.send("DELETE", ADA, headers=KEY)
    done = purge(registry)
    assert {*done.rewritten} >= {before}

    def versions():
        service.wait(0.1)
        replies = [service.get(f"/v1/users/{user}/recommendations").json() for user in ("ada", *OTHERS)]
        assert replies[0]["user"]["status"] == "fallback"
        assert all(reply["user"]["status"] == "known" for reply in replies[1:])
        return {reply["model_version"] for reply in replies}

    until(versions, lambda found: found == {*done.rewritten.values()})
    assert "experiment" not in service.get("/readyz").json().get("detail", "")
