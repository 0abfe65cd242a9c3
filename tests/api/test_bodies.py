"""Bodies: refused cleanly whatever they hold, and nothing of them is repeated."""

import asyncio
import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.requests import Request

from api.errors import SlowBodyError, problem_response
from api.messages.question_bodies import RankBody
from api.messages.reading import MAX_BODY_BYTES, body_of
from recsys.engine.question import MAX_K

PATHS = ["/v1/recommendations", "/v1/recommendations:batch", "/v1/items:similar", "/v1/rank"]
SECRET = "hunter2"
PATIENCE = 30.0


def post(service, path, body, **options):
    return service.send("POST", path, content=body if isinstance(body, str | bytes) else json.dumps(body), **options)


def check_problem(reply, status, code):
    problem = reply.json()
    assert reply.headers["content-type"] == "application/problem+json"
    assert (reply.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert SECRET not in reply.text
    return problem["detail"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"hunter2",
        b"[]",
        b"null",
        b'"hunter2"',
        b'{"hunter2": 1}',
        b'{"user_id": "\\ud800"}',
        b'{"user_id": "\xed\xa0\x80"}',
        b"[" * 100_000,
        b'{"k": ' + b"9" * 5_000 + b"}",
        b'{"k": 1,}',
    ],
    ids=range(12),
)
def test_what_is_no_question_is_refused(service, path, body):
    assert check_problem(post(service, path, body), 422, "invalid_request").startswith("body")


@pytest.mark.parametrize(
    ("fields", "detail"),
    [
        ('"k": NaN', "body.k: expected a valid integer"),
        ('"k": 1.5', "body.k: expected a valid integer"),
        ('"k": true', "body.k: expected a valid integer"),
        ('"k": "3"', "body.k: expected a valid integer"),
        ('"k": 0', "body.k: expected greater than or equal to 1"),
        (f'"k": {MAX_K + 1}', "body.k: expected less than or equal to 1000"),
        ('"diversity": NaN', "body.diversity: expected a finite number"),
        ('"diversity": Infinity', "body.diversity: expected a finite number"),
        ('"diversity": 1e999', "body.diversity: expected a finite number"),
        ('"diversity": 2', "body.diversity: expected less than or equal to 1"),
        ('"explain": 1', "body.explain: expected a valid boolean"),
        ('"user_id": 5', "body.user_id: expected a valid string"),
        ('"user_id": ""', "body.user_id: String should have at least 1 character"),
        ('"include": []', "body.include: List should have at least 1 item after validation, not 0"),
        ('"boosts": {"hunter2": "x"}', "body.boosts: expected a valid number"),
        ('"boosts": {"hunter2": 0}', "body.boosts: expected greater than or equal to 0.001"),
        ('"boosts": {"": 1}', "body.boosts: String should have at least 1 character"),
        ('"events": [{"item_id": "a", "value": NaN}]', "body.events.0.value: expected a finite number"),
        (
            '"events": [{"item_id": "a", "hunter2": 1}]',
            "body.events.0: holds an unknown field; expected only item_id, event, value, timestamp",
        ),
        ('"hunter2": 1', "body: holds an unknown field; expected only user_id, events, k, exclude_seen, filter"),
        ('"events": [{"event": "view"}]', "body.events.0.item_id: Field required"),
        *(
            (
                f'"events": [{{"item_id": "a", "timestamp": {time}}}]',
                "body.events.0.timestamp: expected seconds since",
            )
            for time in ("NaN", '"hunter2"', "1e300", "1790000000000", "-1", "true", "[]")
        ),
        (f'"exclude": {json.dumps(["x"] * 10_001)}', "body.exclude: List should have at most 10000 items"),
        (f'"user_id": "{"é" * 129}"', "user_id: 258 bytes of UTF-8; expected 1 to 256"),
        ('"filter": "hunter2 > 3"', "filter, character 1: "),
    ],
)
def test_fields_are_strict_and_bounded(service, fields, detail):
    body = f"{{{fields}}}".encode()
    assert check_problem(post(service, "/v1/recommendations", body), 422, "invalid_request").startswith(detail)


@pytest.mark.parametrize("k", ["1.0", "1e0", "10E-1"])
def test_a_whole_number_may_be_written_with_a_point(service, k):
    assert len(post(service, PATHS[0], f'{{"k": {k}}}').json()["items"]) == 1


def test_a_field_in_a_batch_is_named_by_its_place(service):
    body = {"requests": [{"user_id": "ada"}, {"user_id": "bob", "k": "hunter2", "events": [{"hunter2": 1}]}]}
    detail = check_problem(post(service, "/v1/recommendations:batch", body), 422, "invalid_request")
    assert detail.split("; ") == [
        "body.requests.1.events.0.item_id: Field required",
        "body.requests.1.events.0: holds an unknown field",
        "expected only item_id, event, value, timestamp",
        "body.requests.1.k: expected a valid integer",
    ]


def test_batches_are_bounded_by_what_they_ask_for(service):
    greedy = {"requests": [{"k": 1000}] * 21}
    detail = check_problem(post(service, "/v1/recommendations:batch", greedy), 422, "invalid_request")
    assert detail == "body.requests: expected a sum of all k of at most 20000"
    many = {"requests": [{"k": 1}] * 1001}
    assert "at most 1000 items" in check_problem(post(service, PATHS[1], many), 422, "invalid_request")
    assert check_problem(post(service, PATHS[1], {"requests": []}), 422, "invalid_request")


def test_a_body_beyond_the_bound_is_refused(service):
    fits = b'{"k": 1}'.ljust(MAX_BODY_BYTES)
    assert post(service, "/v1/recommendations", fits).status_code == 200
    check_problem(post(service, "/v1/recommendations", fits + b" "), 413, "body_too_large")


def test_a_body_that_does_not_come_is_not_waited_for():
    async def receive():
        await asyncio.sleep(PATIENCE)

    request = Request({"type": "http", "method": "POST", "headers": []}, receive)
    with pytest.raises(SlowBodyError):
        asyncio.run(body_of(RankBody, seconds=0.02)(request))
    slow = problem_response(SlowBodyError(), request_id="a")
    assert (slow.status_code, json.loads(slow.body)["code"]) == (408, "slow_body")


def test_content_type_does_not_matter(service):
    for kind in ("application/json", "application/x-www-form-urlencoded", "text/plain"):
        assert post(service, PATHS[0], {"k": 1}, headers={"Content-Type": kind}).status_code == 200


@pytest.mark.parametrize("path", PATHS)
def test_other_methods_and_query_parameters_are_refused(service, path):
    assert service.get(path).headers["allow"] == "POST"
    check_problem(service.get(path), 405, "method_not_allowed")
    body = {"item_ids": ["a"], "positive": ["dune"], "requests": [{}]}
    names = {PATHS[0]: [], PATHS[1]: ["requests"], PATHS[2]: ["positive"], PATHS[3]: ["item_ids"]}[path]
    check_problem(post(service, f"{path}?hunter2=1", {name: body[name] for name in names}), 422, "invalid_request")


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=5,
)
FIELDS = ["user_id", "events", "k", "filter", "include", "boosts", "diversity", "requests", "positive", "item_ids"]


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(body=st.dictionaries(st.sampled_from(FIELDS), ANYTHING, max_size=3), path=st.sampled_from(PATHS))
def test_no_body_is_a_fault_of_the_service(service, body, path):
    assert post(service, path, body).status_code in {200, 404, 422}
