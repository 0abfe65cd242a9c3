"""Items posted during the day: kept, listed by every worker, shown, taken back, taken over by the next version."""

import shutil
import time

import pytest

from api.settings import Settings
from recsys.event_store.item_changes import FILE_NAME

KEY = "correct horse battery"
AUTHORISED = {"Authorization": f"Bearer {KEY}"}
MESSIAH = {"title": "Dune Messiah", "attributes": {"price": 12.5}}
PATH = "/v1/items/dune%20messiah"


@pytest.fixture
def shop(store, tmp_path):
    return shutil.copytree(store, tmp_path / "store")


@pytest.fixture
def admin(start, shop):
    return start(Settings(store=shop, admin_key=KEY, poll_seconds=3600))


@pytest.fixture(scope="module")
def untouched(started, store, tmp_path_factory):
    """A service and its store, for tests that post nothing that is kept."""
    shop = shutil.copytree(store, tmp_path_factory.mktemp("untouched") / "store")
    return started(Settings(store=shop, admin_key=KEY, poll_seconds=3600)), shop


def put(service, path=PATH, body=MESSIAH, headers=AUTHORISED):
    return service.send("PUT", path, json=body, headers=headers)


def listed(service, user="ada", **extra):
    body = {"user_id": user, "k": 10, **extra}
    return {it["item_id"]: it for it in service.send("POST", "/v1/recommendations", json=body).json()["items"]}


def wait_until(service, condition):
    """A second is promised; ten are waited, for a busy machine."""
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        service.wait(0.05)


def test_it_is_listed_and_shown_at_once(admin):
    assert "dune messiah" not in listed(admin)
    reply = put(admin)
    shown = {"item_id": "dune messiah", "n_users": 0, "has_vector": True, "new": True, **MESSIAH}
    assert reply.status_code == 200
    assert reply.json() == {"model_version": reply.headers["x-model-version"], **shown}
    assert admin.get(PATH).json() == reply.json()
    found = listed(admin, fields=["price"])["dune messiah"]
    assert (found["new"], found["title"], found["attributes"]) == (True, "Dune Messiah", {"price": 12.5})
    by_get = admin.get("/v1/users/ada/recommendations?k=10").json()["items"]
    assert "dune messiah" in {item["item_id"] for item in by_get}
    assert "dune messiah" not in listed(admin, filter="price < 10")


def test_every_worker_lists_it_and_a_restart_keeps_it(admin, start, shop):
    other = start(Settings(store=shop, poll_seconds=3600))
    put(admin)
    wait_until(other, lambda: "dune messiah" in listed(other))
    later = start(Settings(store=shop, poll_seconds=3600))
    assert "dune messiah" in listed(later)
    assert "recsys_posted_items 1.0" in later.get("/metrics").text


def test_events_of_it_are_no_error(admin):
    put(admin)
    body = {"user_id": "ada", "events": [{"item_id": "dune messiah"}, {"item_id": "ubik"}], "k": 10}
    reply = admin.send("POST", "/v1/recommendations", json=body).json()
    assert "unknown_items" not in reply
    assert "dune messiah" not in {item["item_id"] for item in reply["items"]}


def test_it_is_taken_back(admin, start, shop):
    put(admin)
    reply = admin.send("DELETE", PATH, headers=AUTHORISED)
    assert (reply.status_code, reply.json()["item_id"]) == (200, "dune messiah")
    assert "dune messiah" not in listed(admin)
    assert admin.get(PATH).status_code == 404
    again = admin.send("DELETE", PATH, headers=AUTHORISED)
    assert (again.status_code, again.json()["code"]) == (404, "unknown_item")


def test_a_new_version_lists_it_from_its_first_moment(admin, shop, publish):
    put(admin)
    version = publish(shop, seed=2)
    assert admin.send("POST", "/admin/reload", headers=AUTHORISED).json()["model_version"] == version
    assert "dune messiah" in listed(admin)


def test_an_item_of_the_version_is_not_posted(admin):
    for reply in (put(admin, "/v1/items/dune"), admin.send("DELETE", "/v1/items/dune", headers=AUTHORISED)):
        assert (reply.status_code, reply.json()["code"]) == (409, "item_exists")
        assert "PATCH" in reply.json()["detail"]


@pytest.mark.parametrize(
    "body",
    [
        {"attributes": {"colour": "red"}},
        {"attributes": {"price": "12"}},
        {"attributes": {"price": True}},
        {"attributes": {"price": {"amount": 12}}},
        {"title": 7},
        {"name": "x"},
        {"title": "a" * 10_001},
        {"attributes": {"price": 10**400}},
    ],
)
def test_what_does_not_fit_is_refused(untouched, body):
    admin, shop = untouched
    reply = put(admin, body=body)
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert "colour" not in reply.json()["detail"]
    assert not (shop / FILE_NAME).exists()


def test_without_the_key_nothing_is_posted(admin, service):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert put(admin, headers=headers).status_code == 401
        assert admin.send("DELETE", PATH, headers=headers).status_code == 401
    assert put(service).status_code == 405, "a service without an admin key has no such route"


def test_a_version_without_content_says_so(start, publish, tmp_path):
    publish(tmp_path / "store", with_content=False)
    plain = start(Settings(store=tmp_path / "store", admin_key=KEY))
    assert (put(plain).status_code, put(plain).json()["code"]) == (409, "no_content")


def test_a_file_that_cannot_be_written_is_a_503(start, shop, tmp_path):
    there = tmp_path / "none" / "posted.sqlite"
    service = start(Settings(store=shop, admin_key=KEY, new_items=there))
    reply = put(service)
    assert (reply.status_code, reply.json()["code"]) == (503, "posted_items_unavailable")
    assert str(there) not in reply.text
    there.parent.mkdir()
    there.write_bytes(b"no database at all, but long enough to be read as one" * 40)
    service.wait(0.6)
    assert service.get("/v1/users/ada/recommendations").status_code == 200
    assert put(service).status_code == 503
