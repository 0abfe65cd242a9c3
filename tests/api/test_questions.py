"""Lists with conditions over HTTP: what the engine answers, in the shape that is documented."""

import pytest


def post(service, path, body):
    return service.send("POST", path, json=body)


def recommend(service, **body):
    reply = post(service, "/v1/recommendations", body)
    assert reply.status_code == 200, reply.text
    return reply.json()


def without_id(body):
    return {name: value for name, value in body.items() if name != "recommendation_id"}


def ids(body):
    return [item["item_id"] for item in body["items"]]


def test_a_plain_question_is_answered_as_the_get_route_answers(service):
    for user in ("ada", "nobody"):
        expected = service.get(f"/v1/users/{user}/recommendations?k=3&exclude_seen=false").json()
        assert without_id(recommend(service, user_id=user, k=3, exclude_seen=False)) == without_id(expected)


def test_a_visitor_is_folded_in(service):
    body = recommend(service, events=[{"item_id": "AC/DC"}, {"item_id": "Björk"}, {"item_id": "new"}], k=2)
    assert body["user"] == {"status": "folded_in"}
    assert set(ids(body)) < {"R&B? 100% #1", "../livez", "a b"}
    assert body["unknown_items"] == ["new"]
    assert "reasons" not in body["items"][0]


def test_a_known_user_who_did_more(service):
    events = [{"item_id": item, "timestamp": "2026-11-22T10:00:00+01:00"} for item in ("AC/DC", "a b")]
    body = recommend(service, user_id="ada", events=events, k=5)
    assert body["user"] == {"id": "ada", "status": "folded_in"}
    assert {"AC/DC", "a b"}.isdisjoint(ids(body))


def test_reasons_add_up(service):
    for asked in ({"user_id": "bob"}, {"events": [{"item_id": "dune"}, {"item_id": "ubik"}]}):
        for item in recommend(service, **asked, k=3, explain=True)["items"]:
            total = sum(reason["contribution"] for reason in item["reasons"]) + item["rest"]
            assert total == pytest.approx(item["score"], rel=1e-5)


def test_conditions_reach_the_engine(service):
    plain = ids(recommend(service, user_id="ada", k=6))
    assert ids(recommend(service, user_id="ada", include=plain[2:4])) == plain[2:4]
    assert ids(recommend(service, user_id="ada", exclude=plain[:1])) == plain[1:]
    assert ids(recommend(service, user_id="ada", boosts={plain[-1]: 1000}, k=1))[0] in {plain[0], plain[-1]}
    assert ids(recommend(service, user_id="ada", filter='title = "Dune"')) == ["dune"]
    assert set(ids(recommend(service, user_id="ada", diversity=1, k=6))) == set(plain)


@pytest.mark.parametrize(
    ("asked", "status", "code"),
    [
        ({"user_id": "nobody"}, 404, "unknown_user"),
        ({"user_id": "ada", "exclude": ["new"], "k": 1}, 404, "unknown_item"),
        ({"user_id": "ada", "k": 100}, 409, "incomplete_answer"),
        ({}, 409, "incomplete_answer"),
    ],
)
def test_strict_questions(service, asked, status, code):
    assert recommend(service, **asked)
    reply = post(service, "/v1/recommendations", {**asked, "strict": True})
    assert (reply.status_code, reply.json()["code"]) == (status, code)


def test_a_batch_is_answered_in_order_as_one_by_one(service):
    questions = [{"user_id": "bob", "k": 2}, {"events": [{"item_id": "dune"}]}, {"user_id": "nobody", "k": 1}]
    reply = post(service, "/v1/recommendations:batch", {"requests": questions})
    body = reply.json()
    one_by_one = [recommend(service, **question) for question in questions]
    assert [*map(without_id, body["answers"])] == [*map(without_id, one_by_one)]
    assert body["model_version"] == reply.headers["x-model-version"]
    refused = post(service, "/v1/recommendations:batch", {"requests": [*questions, {"user_id": "x", "strict": True}]})
    assert refused.status_code == 404


def test_candidates_in_order(service):
    asked = {"user_id": "ada", "item_ids": ["new", "AC/DC", "dune", "dune"]}
    body = post(service, "/v1/rank", asked).json()
    assert list(body) == [
        "model_version",
        "recommendation_id",
        "user",
        "items",
        "returned",
        "warnings",
        "unknown_items",
    ]
    assert [(item["item_id"], item["known"], "score" in item) for item in body["items"]] == [
        ("dune", True, True),
        ("AC/DC", True, True),
        ("new", False, False),
    ]
    assert (body["user"], body["returned"]) == ({"id": "ada", "status": "known"}, 3)
    assert post(service, "/v1/rank", {"item_ids": ["dune"]}).json()["user"] == {"status": "fallback"}


def test_items_like_and_unlike(service):
    body = post(service, "/v1/items:similar", {"positive": ["dune", "x"], "negative": ["AC/DC"], "k": 2}).json()
    assert (body["positive"], body["negative"], body["unknown_items"]) == (["dune", "x"], ["AC/DC"], ["x"])
    assert set(ids(body)) < {"solaris", "ubik", "neuromancer", "hyperion"}
    alone = post(service, "/v1/items:similar", {"positive": ["dune"], "k": 4}).json()
    assert alone["items"] == service.get("/v1/items/dune/similar?k=4").json()["items"]
    assert post(service, "/v1/items:similar", {"positive": ["x"]}).json()["code"] == "unknown_item"


def test_users_alike(service):
    body = service.get("/v1/users/ada/similar?k=3").json()
    assert {user["user_id"] for user in body["users"]} == {"bob", "cem", "dee"}
    assert (body["user"], body["requested"], body["returned"]) == ({"id": "ada"}, 3, 3)
    assert service.get("/v1/users/nobody/similar").json()["code"] == "unknown_user"
    assert service.get("/v1/users/ada/similar?filter=x").status_code == 422
