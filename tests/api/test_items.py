from urllib.parse import quote

import pytest


def test_similar_items_are_of_the_same_group_and_never_the_item_itself(service):
    body = service.get("/v1/items/dune/similar", params={"k": 4}).json()
    assert list(body) == ["model_version", "recommendation_id", "item", "items", "requested", "returned", "warnings"]
    assert body["item"] == {"id": "dune"}
    assert {item["item_id"] for item in body["items"]} == {"solaris", "ubik", "neuromancer", "hyperion"}
    assert [item["rank"] for item in body["items"]] == [1, 2, 3, 4]


def test_too_many_neighbours_are_a_short_list_that_says_why(service):
    body = service.get("/v1/items/dune/similar", params={"k": 1000}).json()
    assert (body["requested"], body["returned"]) == (1000, 9)
    assert body["warnings"]


def test_an_item(service, store):
    body = service.get("/v1/items/dune").json()
    version = (store / "CURRENT").read_text().strip()
    assert body == {
        "model_version": version,
        "item_id": "dune",
        "title": "Dune",
        "attributes": {"price": 9.5},
        "n_users": 3,
        "has_vector": True,
    }


def test_an_item_without_a_title_has_none(service):
    assert "title" not in service.get("/v1/items/solaris").json()


def test_an_attribute_that_is_not_a_number_is_null_never_nan(service):
    reply = service.get("/v1/items/ubik")
    assert "NaN" not in reply.text
    assert reply.json()["attributes"] in ({}, {"price": None})


@pytest.mark.parametrize("item", ["AC/DC", "R&B? 100% #1", "Björk", "../livez", "a b"])
def test_any_id_survives_the_path(service, item):
    escaped = quote(item, safe="").replace(".", "%2E")
    assert service.get(f"/v1/items/{escaped}").json()["item_id"] == item
    assert service.get(f"/v1/items/{escaped}/similar").json()["item"] == {"id": item}


def test_an_escaped_slash_parts_no_segments(service):
    assert service.get("/v1/items/dune%2Fsimilar").json()["code"] == "unknown_item"
    assert service.get("/v1%2Fitems/dune").json()["code"] == "unknown_route"
    assert service.get("/v1/items/AC/DC").json()["code"] == "unknown_route"


def test_lower_case_escapes_are_the_same(service):
    assert service.get("/v1/items/AC%2fDC").json()["item_id"] == "AC/DC"


def test_a_list_carries_the_attributes_that_are_asked_for(service):
    for path in ("/v1/users/ada/recommendations", "/v1/items/dune/similar"):
        plain, priced = (service.get(path, params=query).json()["items"] for query in ({}, {"fields": "price"}))
        assert all("attributes" not in item for item in plain)
        known = {item["item_id"]: item["attributes"] for item in priced}
        assert [item["item_id"] for item in priced] == [item["item_id"] for item in plain]
        assert {"price": 9.5} in known.values()
        for item, attributes in known.items():
            assert attributes == service.get(f"/v1/items/{quote(item, safe='')}").json()["attributes"]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/v1/recommendations", {"user_id": "ada", "k": 3}),
        ("/v1/items:similar", {"positive": ["dune"], "k": 3}),
    ],
)
def test_a_body_asks_for_attributes_by_a_list_of_names(service, path, body):
    listed = service.send("POST", path, json=body | {"fields": ["price"]}).json()["items"]
    assert {"price": 9.5} in [item["attributes"] for item in listed]


def test_an_unknown_field_is_refused_with_the_nearest_name(service):
    for reply in (
        service.get("/v1/items/dune/similar", params={"fields": "prise"}),
        service.get("/v1/users/ada/recommendations", params={"fields": "price,prise"}),
        service.send("POST", "/v1/recommendations", json={"user_id": "ada", "fields": ["prise"]}),
    ):
        assert reply.status_code == 422
        assert "did you mean 'price'?" in reply.json()["detail"]


def test_several_items_at_once_are_as_each_alone(service):
    body = service.send("POST", "/v1/items:batch", json={"item_ids": ["AC/DC", "nothing", "dune", "dune"]}).json()
    alone = [service.get(f"/v1/items/{item}").json() for item in ("AC%2FDC", "dune")]
    assert [{"model_version": body["model_version"], **item} for item in body["items"]] == alone
    assert body["unknown_items"] == ["nothing"]


def test_items_at_once_are_bounded(service):
    for ids in ([], ["dune"] * 1001):
        assert service.send("POST", "/v1/items:batch", json={"item_ids": ids}).status_code == 422
