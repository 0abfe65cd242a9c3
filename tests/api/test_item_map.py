"""GET /v1/map: a page of the items' coordinates."""

import math
from urllib.parse import quote

import pytest


def test_every_item_with_a_vector_is_somewhere_most_users_first(service):
    reply = service.get("/v1/map").json()
    assert reply["n_items"] == len(reply["items"]) > 3
    users = [service.get(f"/v1/items/{quote(each['item_id'], safe='')}").json()["n_users"] for each in reply["items"]]
    assert users == sorted(users, reverse=True)
    assert all(math.hypot(each["x"], each["y"]) < 1.001 for each in reply["items"])
    assert reply["warnings"] == []


def test_pages_are_the_whole_map_cut(service):
    whole = service.get("/v1/map").json()
    pages = [service.get(f"/v1/map?limit=2&offset={offset}").json() for offset in range(0, whole["n_items"], 2)]
    assert [each for page in pages for each in page["items"]] == whole["items"]
    assert pages[1]["offset"] == 2
    assert service.get("/v1/map?offset=1000").json()["items"] == []


def test_titles_and_asked_attributes_are_listed(service):
    items = {each["item_id"]: each for each in service.get("/v1/map?fields=price").json()["items"]}
    assert items["dune"]["title"] == "Dune"
    assert items["dune"]["attributes"] == {"price": 9.5}
    assert "attributes" not in service.get("/v1/map").json()["items"][0]


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=5001", "limit=1.0", "offset=-1", "k=3", "fields=colour", "limit=2&limit=3"]
)
def test_what_is_no_page_is_refused(service, query):
    assert service.get(f"/v1/map?{query}").status_code == 422
