from urllib.parse import quote

import pytest

from recsys.artifacts.registry import Registry
from recsys.engine import Engine

PATH = "/v1/users/{}/recommendations"


def test_a_known_user_gets_what_the_own_group_reads_and_nothing_seen(service, store):
    reply = service.get(PATH.format("bob"), params={"k": 1})
    body = reply.json()
    assert reply.status_code == 200
    assert list(body) == ["model_version", "recommendation_id", "user", "items", "requested", "returned", "warnings"]
    assert body["user"] == {"id": "bob", "status": "known"}
    assert [(item["item_id"], item["rank"]) for item in body["items"]] == [("solaris", 1)]
    assert (body["requested"], body["returned"], body["warnings"]) == (1, 1, [])
    assert body["model_version"] == (store / "CURRENT").read_text().strip()


def test_a_list_is_the_one_that_the_version_gives_offline(service, store):
    engine, n_lists = Engine(Registry(store).load()), 0
    for users, top in engine.iter_all(3):
        for user, (indices, scores) in zip(users, top.rows(), strict=True):
            items = service.get(PATH.format(quote(user, safe="")), params={"k": 3}).json()["items"]
            assert [item["item_id"] for item in items] == engine.item_ids.decode(indices)
            assert [item["score"] for item in items] == scores.tolist()
            n_lists += 1
    assert n_lists == len(engine.user_ids) > 0


def test_a_title_is_there_where_known_and_left_out_where_not(service):
    items = service.get(PATH.format("ada"), params={"k": 10}).json()["items"]
    titles = {item["item_id"]: item.get("title", "left out") for item in items}
    assert titles["dune"] == "Dune"
    assert titles["Björk"] == "left out"
    assert None not in titles.values()


def test_ten_items_are_asked_for_unless_said_otherwise(service):
    assert service.get(PATH.format("ada")).json()["requested"] == 10


def test_a_short_list_says_why(service):
    body = service.get(PATH.format("ada"), params={"k": 1000}).json()
    assert body["returned"] == len(body["items"]) == 6
    assert body["warnings"] == ["only 6 items can be listed because of what this user has already seen"]


def test_seen_items_come_back_when_asked_for(service):
    without = service.get(PATH.format("bob"), params={"k": 10}).json()["items"]
    with_seen = service.get(PATH.format("bob"), params={"k": 10, "exclude_seen": "false"}).json()["items"]
    assert "dune" not in {item["item_id"] for item in without}
    assert "dune" in {item["item_id"] for item in with_seen}
    assert len(with_seen) == 10


def test_an_unknown_user_gets_the_most_popular_items_labelled(service):
    reply = service.get(PATH.format("nobody"), params={"k": 3})
    body = reply.json()
    assert reply.status_code == 200
    assert body["user"] == {"id": "nobody", "status": "fallback"}
    assert body["returned"] == 3
    assert len(body["warnings"]) == 1


@pytest.mark.parametrize("user", ["u/v", "Zoë"])
def test_ids_with_slashes_and_beyond_ascii_arrive(service, user):
    escaped = {"u/v": "u%2Fv", "Zoë": "Zo%C3%AB"}[user]
    assert service.get(PATH.format(escaped)).json()["user"] == {"id": user, "status": "known"}


def test_a_query_string_of_an_odd_id_is_not_the_query(service):
    reply = service.get(PATH.format("a%3Fk%3D0%26b"))
    assert reply.json()["user"]["id"] == "a?k=0&b"
    assert reply.json()["requested"] == 10
