"""An experiment as the service serves it: arms, replies, metrics, faults and guardrails."""

import json
import sqlite3
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

import pytest

from api.settings import Settings
from recsys.artifacts.experiments import Experiments
from recsys.artifacts.registry import Registry
from recsys.event_store.database import open_database
from recsys.event_store.impressions import DAY, Impressions
from recsys.experiments.plan import Goal
from recsys.online.experiment import look
from recsys.online.recommendation_id import decode

GOAL = Goal(effect=0.1, baseline=0.05, needed_once=1_000, needed=1_500, tightest_at=1e-5)
USERS = [f"user {at}" for at in range(40)]
QUICK = 0.02


@pytest.fixture(scope="module")
def two_versions(tmp_path_factory, publish) -> tuple[Path, str, str]:
    """A store, its older version and the one that serves; tests leave no experiment behind."""
    folder = tmp_path_factory.mktemp("experiment") / "store"
    return folder, publish(folder, seed=1), publish(folder, seed=2)


@pytest.fixture
def experiments(two_versions):
    found = Experiments(Registry(two_versions[0]))
    yield found
    found.path.unlink(missing_ok=True)


def begin(experiments, control, treatment, **changes):
    return experiments.start(control=control, treatment=treatment, share=0.5, goal=GOAL, **changes)


def wait_for(service, condition: Callable[[], bool]) -> None:
    for _ in range(500):
        if condition():
            return
        service.wait(0.02)
    raise AssertionError("it never came true")


def lists(service, **query):
    return {user: service.get(f"/v1/users/{user}/recommendations", params=query) for user in USERS}


def test_users_are_split_as_the_hash_says_in_every_worker(two_versions, experiments, start):
    store, older, current = two_versions
    running = begin(experiments, current, older)
    workers = [start(Settings(store=store)) for _ in range(2)]
    for user, replies in zip(USERS, zip(*(lists(it).values() for it in workers), strict=True), strict=True):
        for reply in replies:
            arm = running.arm(user)
            assert reply.json()["arm"] == arm == decode(reply.json()["recommendation_id"]).arm
            version = {"control": current, "treatment": older}[arm]
            assert reply.headers["x-model-version"] == reply.json()["model_version"] == version
    assert {running.arm(user) for user in USERS} == {"control", "treatment"}


def test_every_route_of_a_person_is_split_and_no_other(two_versions, experiments, start):
    store, older, current = two_versions
    running, service = begin(experiments, current, older), start(Settings(store=store))
    versions = {"control": current, "treatment": older}
    for user in USERS[:8]:
        for path, body in (
            ("/v1/recommendations", {"user_id": user}),
            ("/v1/recommendations", {"session_id": user}),
            ("/v1/rank", {"user_id": user, "item_ids": ["dune"]}),
        ):
            reply = service.send("POST", path, json=body)
            assert (reply.json()["arm"], reply.headers["x-model-version"]) == (
                running.arm(user),
                versions[running.arm(user)],
            )
    batch = service.send("POST", "/v1/recommendations:batch", json={"requests": [{"user_id": it} for it in USERS]})
    told = [(it["user"]["id"], it["arm"], it["model_version"]) for it in batch.json()["answers"]]
    assert told == [(user, running.arm(user), versions[running.arm(user)]) for user in USERS]
    for method, path, body in (
        ("GET", "/v1/items/dune/similar", None),
        ("POST", "/v1/recommendations", {"events": [{"item_id": "dune"}]}),
        ("POST", "/v1/recommendations", {"user_id": "ada", "k": 1, "strict": True}),
    ):
        reply = service.send(method, path, json=body)
        assert "arm" not in reply.json()
        assert reply.headers["x-model-version"] == current


def test_a_page_counts_as_a_list_of_its_arm(two_versions, experiments, start):
    running, service = begin(experiments, "current", "popular"), start(Settings(store=two_versions[0]))
    every_item = [item["item_id"] for item in service.get("/v1/map?limit=100").json()["items"]]
    treated = next(user for user in USERS if running.arm(user) == "treatment")
    for exclude in ([], every_item):
        body = {"user_id": treated, "rows": [{"kind": "for_you"}, {"kind": "popular"}], "exclude": exclude}
        assert service.send("POST", "/v1/pages", json=body).status_code == 200
    counted = [line for line in service.get("/metrics").text.splitlines() if "experiment_lists_total{" in line]
    assert {line for line in counted if not line.endswith(" 0.0")} == {
        'recsys_experiment_lists_total{arm="treatment",result="given"} 2.0',
        'recsys_experiment_lists_total{arm="treatment",result="empty"} 1.0',
    }


def test_a_list_whose_reply_has_no_body_is_no_impression(two_versions, experiments, start, tmp_path):
    """HEAD: nobody saw it, and its id cannot come back."""
    begin(experiments, *two_versions[1:])
    service = start(Settings(store=two_versions[0], events=tmp_path / "events.db"))
    for path in ("/v1/users/ada/recommendations", "/v1/items/dune/similar"):
        assert service.send("HEAD", path).status_code == 200
    given = service.get("/v1/users/ada/recommendations").json()["recommendation_id"]
    database = Impressions(open_database(tmp_path / "events.db"))
    days = int(time.time() // DAY) - 1, int(time.time() // DAY) + 2
    wait_for(service, lambda: any(database.stream(*days)))
    assert len([*database.stream(*days)]) == 1, given


def test_the_popular_arm_lists_what_is_popular_and_unseen(two_versions, experiments, start):
    store, _, current = two_versions
    running, service = begin(experiments, "current", "popular"), start(Settings(store=store))
    for user in ("ada", "bob", "cem", "dee", "eve", "gus"):
        body = service.get(f"/v1/users/{user}/recommendations", params={"k": 10}).json()
        is_popular = running.arm(user) == "treatment"
        assert body["user"]["status"] == ("fallback" if is_popular else "known")
        scores = [item["score"] for item in body["items"]]
        assert scores == sorted(scores, reverse=True)
        assert len(body["items"]) == 6  # four of ten are seen
        assert body["model_version"] == current


def test_model_and_metrics_say_what_runs(two_versions, experiments, start):
    store, older, current = two_versions
    running, service = begin(experiments, current, older, name="als-1"), start(Settings(store=store))
    lists(service)
    told = service.get("/v1/model").json()["experiment"]
    assert (told["name"], told["share"]) == ("als-1", 0.5)
    assert told["arms"] == {"control": current, "treatment": older}
    metrics = service.get("/metrics").text
    assert f'recsys_experiment_info{{arm="treatment",experiment="als-1",version="{older}"}} 1' in metrics
    counts = Counter(running.arm(user) for user in USERS)
    for arm, n in counts.items():
        assert f'recsys_experiment_lists_total{{arm="{arm}",result="given"}} {n}.0' in metrics
    assert "warning" not in service.get("/readyz").json()


def test_changes_are_followed_without_a_restart(two_versions, experiments, start):
    store, older, current = two_versions
    service = start(Settings(store=store, poll_seconds=QUICK))
    assert "arm" not in service.get("/v1/users/ada/recommendations").json()
    running = begin(experiments, current, older)
    wait_for(service, lambda: "experiment" in service.get("/v1/model").json())
    larger = experiments.change_share(0.9)
    wait_for(service, lambda: service.get("/v1/model").json()["experiment"]["share"] == 0.9)
    arms = {user: reply.json()["arm"] for user, reply in lists(service).items()}
    assert arms == {user: larger.arm(user) for user in USERS}
    assert all(arms[user] == "treatment" for user in USERS if running.arm(user) == "treatment")
    experiments.stop()
    wait_for(service, lambda: "experiment" not in service.get("/v1/model").json())
    assert {reply.headers["x-model-version"] for reply in lists(service).values()} == {current}


def test_a_publish_meanwhile_serves_those_outside_and_leaves_pinned_arms(tmp_path, publish, start):
    store = tmp_path / "store"
    older, current = publish(store, seed=1), publish(store, seed=2)
    service = start(Settings(store=store, poll_seconds=QUICK))
    begin(Experiments(Registry(store)), current, older)
    wait_for(service, lambda: "experiment" in service.get("/v1/model").json())
    newest = publish(store, seed=3)
    wait_for(service, lambda: service.get("/v1/model").json()["model_version"] == newest)
    assert {reply.headers["x-model-version"] for reply in lists(service).values()} == {older, current}
    assert service.get("/v1/items/dune/similar").headers["x-model-version"] == newest


def test_an_arm_that_cannot_be_loaded_leaves_everybody_with_what_serves(tmp_path, publish, start, caplog):
    store = tmp_path / "store"
    older, current = publish(store, seed=1), publish(store, seed=2)
    begin(Experiments(Registry(store)), current, older)
    (store / "versions" / older / "popularity.npy").write_bytes(b"damaged")
    service = start(Settings(store=store, poll_seconds=QUICK))
    service.wait(0.1)
    for reply in lists(service).values():
        assert reply.headers["x-model-version"] == current
        assert "arm" not in reply.json()
    assert service.get("/readyz").status_code == 200
    assert service.get("/readyz").json()["warning"] == "the experiment cannot be served; the service's log says why"
    assert caplog.text.count("the experiment cannot be served; everybody gets the version that serves") == 1


def test_a_damaged_file_leaves_everybody_with_what_serves(two_versions, experiments, start):
    store, _, current = two_versions
    experiments.path.write_text("{")
    service = start(Settings(store=store))
    assert service.get("/v1/users/ada/recommendations").headers["x-model-version"] == current
    assert service.get("/readyz").json()["warning"]


def test_impressions_are_kept_with_arm_session_and_items(two_versions, experiments, start, tmp_path):
    store, older, current = two_versions
    running = begin(experiments, current, older)
    service = start(Settings(store=store, events=f"{tmp_path}/events.db"))
    replies = lists(service, k=2)
    anonymous = service.send(
        "POST", "/v1/recommendations", json={"session_id": "s1", "events": [{"item_id": "dune"}]}
    )
    similar = service.get("/v1/items/dune/similar?k=1").json()
    service.stop()
    rows = sqlite3.connect(tmp_path / "events.db").execute(
        "SELECT recommendation_id, user_id, session_id, version, arm, experiment, kind, status, items, given_at"
        " FROM impressions"
    )
    kept = {row[0]: row[1:] for row in rows}
    assert len(kept) == len(USERS) + 2
    for user, reply in replies.items():
        body = reply.json()
        *told, items, given_at = kept[body["recommendation_id"]]
        arm = running.arm(user)
        version = body["model_version"]
        assert told == [user, None, version, arm, running.salt, "recommendations", body["user"]["status"]]
        assert json.loads(items) == [item["item_id"] for item in body["items"]]
        assert abs(given_at - time.time()) < 60
    assert kept[anonymous.json()["recommendation_id"]][:2] == (None, "s1")
    assert kept[similar["recommendation_id"]][2:6] == (current, None, None, "similar_items")


def test_what_people_click_decides(two_versions, experiments, start, tmp_path):
    store, older, current = two_versions
    running = begin(experiments, current, older)
    where = f"{tmp_path}/events.db"
    service = start(Settings(store=store, events=where))
    events = [
        {
            "user_id": user,
            "item_id": reply.json()["items"][0]["item_id"],
            "recommendation_id": reply.json()["recommendation_id"],
            "place": 1,
        }
        for user, reply in lists(service).items()
        if running.arm(user) == "treatment"
    ]
    assert service.send("POST", "/v1/events", json={"events": events}).json()["accepted"] == len(events)
    service.stop()
    reading = look(open_database(Path(where)), running)
    assert (reading.reading.found.control, reading.reading.found.treatment) == (0, 1)
    assert reading.reading.users == len(USERS)
    assert reading.mixed == 0
    assert reading.reading.outcome == "too_early"


def test_lists_go_on_while_impressions_cannot_be_written(two_versions, start, tmp_path):
    service = start(Settings(store=two_versions[0], events=f"{tmp_path}/missing/events.db"))
    assert {reply.status_code for reply in lists(service).values()} == {200}
    service.stop()


def test_no_impressions_without_a_share(two_versions, start, tmp_path):
    service = start(Settings(store=two_versions[0], events=f"{tmp_path}/events.db", impressions=0))
    lists(service)
    service.stop()
    with sqlite3.connect(tmp_path / "events.db") as connection:
        tables = {name for (name,) in connection.execute("SELECT name FROM sqlite_master")}
    assert "impressions" not in tables
