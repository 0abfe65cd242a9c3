"""Items and users are found as somebody types, and a user's history is told."""

import pytest

from api.settings import Settings
from recsys.client import Client

KEY = "correct horse battery"


def found(service, text, **query):
    items = service.get("/v1/items:find", params={"text": text, **query}).json()["items"]
    return [(item["item_id"], item["by"]) for item in items]


def test_items_are_found_by_title_by_id_and_with_an_error(service):
    assert found(service, "let there") == [("AC/DC", "title")]
    assert found(service, "let thare be") == [("AC/DC", "similar_title")]
    assert found(service, "dune") == [("dune", "id")]
    assert found(service, "hyp") == [("hyperion", "id")]
    assert found(service, "nothing of the kind") == []


def test_what_is_found_has_title_and_users(service):
    (item,) = service.get("/v1/items:find", params={"text": "rock"}).json()["items"]
    assert item == {"item_id": "AC/DC", "title": "Let There Be Rock", "n_users": 3, "by": "title"}


def test_a_changed_title_is_shown(start, tmp_path, publish):
    publish(tmp_path / "store")
    service = start(Settings(store=tmp_path / "store", admin_key=KEY))
    headers = {"Authorization": f"Bearer {KEY}"}
    service.send("PATCH", "/v1/items/dune", json={"title": "Dune, 1965"}, headers=headers)
    assert service.get("/v1/items:find?text=dune").json()["items"][0]["title"] == "Dune, 1965"


@pytest.mark.parametrize("query", ["", "text=", f"text={'a' * 201}", "text=a&limit=0", "text=a&limit=51", "text=%20"])
def test_a_wrong_query_is_refused(service, query):
    assert service.get(f"/v1/items:find?{query}").status_code == 422
    assert service.get(f"/v1/users:find?{query}").status_code == 422


def test_users_are_found_by_the_beginning_of_their_id(service):
    users = service.get("/v1/users:find?text=d").json()["users"]
    assert users == [{"user_id": "dee", "status": "known", "n_items": 4}]
    assert service.get("/v1/users:find?text=zz").json()["users"] == []


def test_finding_users_needs_the_key_if_there_is_one(start, store):
    service = start(Settings(store=store, admin_key=KEY))
    assert service.get("/v1/users:find?text=a").status_code == 401
    reply = service.get("/v1/users:find?text=a", headers={"Authorization": f"Bearer {KEY}"})
    assert [user["user_id"] for user in reply.json()["users"]] == ["ada"]
    assert service.get("/v1/items:find?text=a").status_code == 200


def test_a_history_is_told_largest_weight_first(service):
    reply = service.get("/v1/users/ada/history").json()
    assert reply["user"] == {"id": "ada"}
    assert {item["item_id"] for item in reply["items"]} == {"solaris", "ubik", "neuromancer", "hyperion"}
    weights = [item["score"] for item in reply["items"]]
    assert weights == sorted(weights, reverse=True)
    assert len(service.get("/v1/users/ada/history?limit=2").json()["items"]) == 2
    assert service.get("/v1/users/nobody/history").status_code == 404


def test_the_client_has_them():
    assert {"find_items", "find_users", "get_history"} <= set(dir(Client))
