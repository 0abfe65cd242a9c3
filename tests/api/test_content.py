"""Items compared by content and found by words, over HTTP."""

import pytest

from api.settings import Settings


@pytest.fixture(scope="module")
def without_content(started, publish, tmp_path_factory):
    store = tmp_path_factory.mktemp("plain") / "store"
    publish(store, with_content=False)
    return started(Settings(store=store))


def test_similar_items_by_content_and_by_both(service):
    by_content = service.get("/v1/items/dune/similar?by=content&k=3").json()
    assert [(item["item_id"], item["score"]) for item in by_content["items"]] == [
        ("AC/DC", pytest.approx(0, abs=1e-6))
    ]
    both = service.get("/v1/items/ubik/similar?by=both&k=2").json()
    alone = service.get("/v1/items/ubik/similar?k=2").json()
    assert [item["score"] for item in both["items"]] == pytest.approx([item["score"] / 2 for item in alone["items"]])


def test_arithmetic_by_content(service):
    body = {"positive": ["dune"], "by": "content"}
    (other,) = service.send("POST", "/v1/items:similar", json=body).json()["items"]
    assert other["item_id"] == "AC/DC"
    refused = service.send("POST", "/v1/items:similar", json={"positive": ["dune"], "by": "looks"})
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_request")


def test_search_by_words(service):
    found = service.send("POST", "/v1/items:search", json={"text": "DUNE", "k": 1, "fields": ["price"]}).json()
    assert [(item["item_id"], item["attributes"]) for item in found["items"]] == [("dune", {"price": 9.5})]
    assert found["requested"] == found["returned"] == 1
    nothing = service.send("POST", "/v1/items:search", json={"text": "zeppelin"}).json()
    assert nothing["items"] == []
    assert nothing["warnings"] == ["this version knows none of the words, so nothing is found"]


@pytest.mark.parametrize("text", ["", "   ", "a" * 10_000, 7, None])
def test_texts_out_of_bounds_are_refused(service, text):
    reply = service.send("POST", "/v1/items:search", json={"text": text})
    assert (reply.status_code, reply.json()["code"]) == (422, "invalid_request")
    assert "text" in reply.json()["detail"]


def test_a_version_without_content_gives_a_named_answer(without_content):
    assert without_content.get("/v1/items/dune/similar?k=2").status_code == 200
    for reply in (
        without_content.get("/v1/items/dune/similar?by=content"),
        without_content.get("/v1/items/dune/similar?by=both"),
        without_content.send("POST", "/v1/items:similar", json={"positive": ["dune"], "by": "both"}),
        without_content.send("POST", "/v1/items:search", json={"text": "dune"}),
    ):
        assert (reply.status_code, reply.json()["code"]) == (409, "no_content")


def test_places_for_new_items_are_asked_for_by_share(service):
    """This version has no new items, which a warning says."""
    found = service.get("/v1/users/ada/recommendations?k=2&new_share=0.5").json()
    (warning,) = [each for each in found["warnings"] if "new items" in each]
    posted = service.send("POST", "/v1/recommendations", json={"user_id": "ada", "k": 2, "new_share": 0.5}).json()
    assert warning in posted["warnings"]
    for share in ("2", "-1", "nan", "some"):
        assert service.get(f"/v1/users/ada/recommendations?new_share={share}").status_code == 422
