"""Every list has an id of its own, which says where it comes from."""

import time

from recsys.online.recommendation_id import decode

ASKED = [
    ("GET", "/v1/users/ada/recommendations", None, "recommendations"),
    ("GET", "/v1/users/ada/similar", None, "similar_users"),
    ("GET", "/v1/items/dune/similar", None, "similar_items"),
    ("POST", "/v1/items:similar", {"positive": ["dune"]}, "similar_items"),
    ("POST", "/v1/items:search", {"text": "dune"}, "found_by_words"),
    ("POST", "/v1/recommendations", {"user_id": "ada"}, "recommendations"),
    ("POST", "/v1/rank", {"user_id": "ada", "item_ids": ["dune"]}, "candidates"),
]


def test_the_id_of_every_kind_of_list_says_version_kind_and_time(service):
    ids = set()
    for _ in range(2):
        for method, path, body, kind in ASKED:
            before = time.time_ns() // 1_000_000
            reply = service.send(method, path, json=body)
            assert reply.status_code == 200, reply.text
            found = decode(reply.json()["recommendation_id"])
            assert (found.version, found.arm, found.kind) == (reply.headers["X-Model-Version"], None, kind)
            assert before <= found.milliseconds <= time.time_ns() // 1_000_000
            ids.add(reply.json()["recommendation_id"])
    assert len(ids) == 2 * len(ASKED)


def test_each_list_of_a_batch_has_its_own(service):
    body = {"requests": [{"user_id": "ada"}, {"user_id": "bob"}, {"user_id": "ada"}]}
    answers = service.send("POST", "/v1/recommendations:batch", json=body).json()["answers"]
    assert len({answer["recommendation_id"] for answer in answers}) == 3
