"""Items change while a version serves: every worker, filters, fields and views follow, until a newer catalogue."""

import shutil
import threading
import time

import pytest

from api.settings import Settings

KEY = "correct horse battery"
AUTHORISED = {"Authorization": f"Bearer {KEY}"}
BODY = {"user_id": "ada", "k": 10, "exclude_seen": False}


@pytest.fixture
def shop(store, tmp_path):
    return shutil.copytree(store, tmp_path / "store")


@pytest.fixture
def admin(start, shop):
    return start(Settings(store=shop, admin_key=KEY, poll_seconds=3600))


def patch(service, item_id, headers=AUTHORISED, **body):
    return service.send("PATCH", f"/v1/items/{item_id}", json=body, headers=headers)


def update(service, items, headers=AUTHORISED):
    return service.send("POST", "/v1/items:update", json={"items": items}, headers=headers)


def cheap(service):
    body = {**BODY, "filter": "price < 5"}
    return {it["item_id"] for it in service.send("POST", "/v1/recommendations", json=body).json()["items"]}


def wait_until(service, condition):
    """A second is promised; ten are waited, for a busy machine."""
    ends = time.monotonic() + 10
    while not condition():
        assert time.monotonic() < ends
        service.wait(0.05)


def test_filters_fields_titles_and_views_follow_at_once(admin):
    assert cheap(admin) == set()
    reply = patch(admin, "dune", title="Dune!", attributes={"price": 4.5})
    assert (reply.status_code, reply.json()["attributes"], reply.json()["title"]) == (200, {"price": 4.5}, "Dune!")
    assert cheap(admin) == {"dune"}
    assert admin.get("/v1/items/dune").json() == reply.json()
    similar = admin.get("/v1/items/ubik/similar?fields=price&k=4").json()["items"]
    assert [it["attributes"] for it in similar if it.get("title") == "Dune!"] == [{"price": 4.5}]
    patch(admin, "dune", title=None, attributes={"price": None})
    assert cheap(admin) == set()
    shown = admin.get("/v1/items/dune").json()
    assert ("title" in shown, shown["attributes"]) == (False, {})


def test_every_worker_follows_and_a_restart_keeps_it(admin, start, shop):
    other = start(Settings(store=shop, poll_seconds=3600))
    assert cheap(other) == set()
    update(admin, [{"item_id": "dune", "attributes": {"price": 1}}, {"item_id": "AC/DC", "attributes": {"price": 2}}])
    wait_until(other, lambda: cheap(other) == {"dune", "AC/DC"})
    later = start(Settings(store=shop, poll_seconds=3600))
    assert cheap(later) == {"dune", "AC/DC"}
    assert "recsys_updated_items 2.0" in later.get("/metrics").text


def test_unknown_items_are_refused_by_their_place(admin):
    told = [{"item_id": it, "attributes": {"price": 1.0}} for it in ("nothing", "dune", "nowhere", "dune")]
    reply = update(admin, [*told, {"item_id": "dune", "attributes": {"price": 2}}]).json()
    unknown = [{"index": 0, "code": "unknown_item"}, {"index": 2, "code": "unknown_item"}]
    assert (reply["updated"], reply["refused"]) == (3, unknown)
    assert admin.get("/v1/items/dune").json()["attributes"] == {"price": 2}
    assert patch(admin, "nothing", attributes={"price": 1}).json()["code"] == "unknown_item"


@pytest.mark.parametrize(
    "body", [{"attributes": {"colour": "red"}}, {"attributes": {"price": "1"}}, {"title": 3}, {}, {"attributes": {}}]
)
def test_what_does_not_fit_changes_nothing(admin, body):
    good = {"item_id": "ubik", "attributes": {"price": 1}}
    for reply in (patch(admin, "dune", **body), update(admin, [good, {"item_id": "dune", **body}])):
        assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
        assert "colour" not in reply.text
    assert "items.1" in update(admin, [good, {"item_id": "dune", **body}]).json()["detail"]
    assert cheap(admin) == set()


def test_too_many_and_none_are_refused(admin):
    for items in ([], [{"item_id": "dune", "title": "x"}] * 10_001):
        assert update(admin, items).status_code == 422


def test_the_key_is_needed(admin, service):
    for headers in ({}, {"Authorization": "Bearer wrong"}):
        assert patch(admin, "dune", headers, title="x").status_code == 401
        assert update(admin, [{"item_id": "dune", "title": "x"}], headers).status_code == 401
    assert patch(service, "dune", title="x").status_code == 405


def test_a_posted_item_is_updated_too(admin):
    admin.send(
        "PUT", "/v1/items/messiah", json={"title": "Dune Messiah", "attributes": {"price": 9}}, headers=AUTHORISED
    )
    assert patch(admin, "messiah", attributes={"price": 3}).json()["attributes"] == {"price": 3}
    assert "messiah" in cheap(admin)
    admin.send("DELETE", "/v1/items/messiah", headers=AUTHORISED)
    assert patch(admin, "messiah", attributes={"price": 3}).status_code == 404


def test_a_catalogue_that_was_read_later_takes_over(admin, shop, publish):
    """The test's versions do not say when their catalogue was read: the time of their sealing, in whole seconds."""
    patch(admin, "dune", attributes={"price": 1})
    time.sleep(1.1)
    version = publish(shop, seed=2)
    assert admin.send("POST", "/admin/reload", headers=AUTHORISED).json()["model_version"] == version
    assert admin.get("/v1/items/dune").json()["attributes"] == {"price": 9.5}
    patch(admin, "dune", attributes={"price": 2})
    admin.send("POST", "/admin/rollback", headers=AUTHORISED)
    assert cheap(admin) == {"dune"}


def test_a_list_is_of_one_state(admin):
    """All prices change together, back and forth, while lists are asked for: never some of them."""
    everything = ["dune", "solaris", "ubik", "neuromancer", "hyperion"]
    update(admin, [{"item_id": it, "attributes": {"price": 1}} for it in everything])
    stores = admin.app.user_middleware[0].kwargs["stores"]
    stop, engine = threading.Event(), stores.only.watch.engine

    def alternate():
        price = 1
        while not stop.is_set():
            price = 10 - price
            stores.only.items.update({it: {"price": price} for it in everything}, engine)

    thread = threading.Thread(target=alternate)
    thread.start()
    seen = set()
    try:
        for _ in range(60):
            reply = admin.send(
                "POST", "/v1/recommendations", json={**BODY, "fields": ["price"], "include": everything}
            )
            (price,) = {it["attributes"]["price"] for it in reply.json()["items"]}
            seen.add(price)
            assert len(cheap(admin)) in (0, 5)
    finally:
        stop.set()
        thread.join()
    assert seen == {1, 9}
