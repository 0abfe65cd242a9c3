"""Every error in the one shape, and nothing of what came in any of them."""

import logging

import pytest

from api.settings import Settings

LIST = "/v1/users/ada/recommendations"
LONG = "x" * 257
SHAPE = ["type", "title", "status", "detail", "code", "request_id"]


def check_problem(reply, status, code):
    problem = reply.json()
    assert reply.headers["content-type"] == "application/problem+json"
    assert list(problem) == SHAPE
    assert (reply.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert problem["type"] == f"urn:recsys:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == reply.headers["x-request-id"]
    return problem


@pytest.mark.parametrize(
    "k", ["true", "1.5", "1.0", "", "0", "-1", "+5", "1_0", "1001", str(10**30), "٣", "NaN", "%00"]
)
def test_k_is_a_plain_whole_number_from_1_to_1000(service, k):
    problem = check_problem(service.get(f"{LIST}?k={k}"), 422, "invalid_request")
    assert problem["detail"].startswith("query parameter k: expected ")


@pytest.mark.parametrize(
    ("path", "detail"),
    [
        (f"{LIST}?k=1.5", "query parameter k: expected a whole number from 1 to 1000"),
        (f"{LIST}?k=1001", "query parameter k: expected a whole number from 1 to 1000"),
        (f"{LIST}?k=0", "query parameter k: expected a whole number from 1 to 1000"),
        (f"{LIST}?k=2&k=3", "query parameter k: given 2 times; expected at most once"),
        ("/v1/items/dune/similar?k=2&k=2", "query parameter k: given 2 times; expected at most once"),
        (f"{LIST}?exclude_seen=maybe", "query parameter exclude_seen: expected a valid boolean"),
        (f"{LIST}?exclude_seen=", "query parameter exclude_seen: expected a valid boolean"),
        (f"/v1/users/{LONG}/recommendations", "user_id: 257 bytes of UTF-8; expected 1 to 256"),
        (f"/v1/users/{'%C3%AB' * 129}/recommendations", "user_id: 258 bytes of UTF-8; expected 1 to 256"),
        (f"/v1/items/{LONG}", "item_id: 257 bytes of UTF-8; expected 1 to 256"),
        (f"/v1/items/{LONG}/similar", "item_id: 257 bytes of UTF-8; expected 1 to 256"),
        ("/v1/items/%FF", "path: expected percent-encoded UTF-8"),
        ("/v1/items/100%", "path: % is not followed by two hexadecimal digits"),
        ("/v1/users/%zz/recommendations", "path: % is not followed by two hexadecimal digits"),
        ("/v1/items/%ED%A0%80", "path: expected percent-encoded UTF-8"),
        ("/v1/users/%ED%B0%AF/recommendations", "path: expected percent-encoded UTF-8"),
        (f"{LIST}?filter=title%20=%20%22%FF%22", "query: expected percent-encoded UTF-8"),
        ("/v1/items/dune/similar?filter=id%20=%20%22%ED%A0%80%22", "query: expected percent-encoded UTF-8"),
    ],
)
def test_what_is_wrong_is_named(service, path, detail):
    problem = check_problem(service.get(path), 422, "invalid_request")
    assert problem["detail"].startswith(detail)


@pytest.mark.parametrize("path", [LIST, "/v1/items/dune", "/v1/items/dune/similar", "/v1/model"])
@pytest.mark.parametrize("query", ["hunter2=x", "filter=hunter2", "k=3&hunter2", "%ED%A0%80=hunter2", "K=3"])
def test_an_unknown_parameter_is_an_error_that_does_not_repeat_it(service, path, query):
    reply = service.get(f"{path}?{query}")
    check_problem(reply, 422, "invalid_request")
    assert "hunter2" not in reply.text


@pytest.mark.parametrize(
    ("path", "known"),
    [
        (LIST, "only k, filter, fields, exclude_seen, new_share, session_id, fresh"),
        ("/v1/items/dune/similar", "only k, filter, fields, by"),
        ("/v1/model", "none"),
    ],
)
def test_an_unknown_parameter_is_answered_with_the_known_ones(service, path, known):
    detail = service.get(f"{path}?hunter2=1&hunter2=2").json()["detail"]
    assert detail == f"query: holds an unknown parameter; expected {known}"


def test_probes_ignore_their_query(service):
    assert service.get("/readyz?k=1&k=2&hunter2").status_code == 200


def test_an_id_of_256_bytes_is_accepted(service):
    assert service.get(f"/v1/users/{'x' * 256}/recommendations").status_code == 200


@pytest.mark.parametrize("path", ["/v1/items/hunter2", "/v1/items/hunter2/similar"])
def test_an_unknown_item_is_a_404(service, path):
    reply = service.get(path)
    check_problem(reply, 404, "unknown_item")
    assert "hunter2" not in reply.text
    assert reply.headers["x-model-version"]


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/hunter2", "/v1/model/", "/v1/users//recommendations", "/redoc", "/admin/reload"]
)
def test_an_unknown_route_is_a_404(service, path):
    reply = service.get(path)
    check_problem(reply, 404, "unknown_route")
    assert "hunter2" not in reply.text


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS", "HUNTER2"])
def test_another_method_is_a_405(service, method):
    for path in ("/v1/model", "/docs"):
        reply = service.send(method, path)
        check_problem(reply, 405, "method_not_allowed")
        assert reply.headers["allow"] == "GET, HEAD"
    assert "HUNTER2" not in reply.text


def test_head_is_get_without_the_body(service):
    assert service.send("HEAD", "/v1/model").status_code == 200
    assert service.send("HEAD", "/v1/items/none").status_code == 404


def test_without_a_model_everything_but_livez_is_a_503(start, tmp_path):
    service = start(Settings(store=tmp_path))
    for path in (LIST, "/v1/items/dune", "/v1/items/dune/similar", "/v1/model", "/readyz"):
        reply = service.get(path)
        problem = check_problem(reply, 503, "model_not_loaded")
        assert problem["detail"] == "no version has been published to the store yet"
        assert "x-model-version" not in reply.headers
    assert service.get("/livez").json() == {"status": "alive"}


def test_a_fault_of_the_service_is_a_500_without_details_and_is_logged_once(start, store, caplog):
    service = start(Settings(store=store))

    @service.app.get("/fault")
    async def fault() -> None:
        raise ZeroDivisionError("hunter2")

    with caplog.at_level(logging.INFO, "api"):
        reply = service.get("/fault", headers={"X-Request-ID": "find-me"})
    check_problem(reply, 500, "internal_error")
    assert "hunter2" not in reply.text
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in logged] == ["request_id=find-me failed"]
    assert logged[0].exc_info[0] is ZeroDivisionError


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("GET", "/v1/items/nope-4711", None),
        ("GET", "/v1/items/nope-4711/similar", None),
        ("GET", "/v1/users/nope-4711/similar", None),
        ("POST", "/v1/items:similar", {"positive": ["nope-4711"]}),
        ("POST", "/v1/recommendations", {"user_id": "nope-4711", "strict": True}),
        ("POST", "/v1/recommendations", {"user_id": "ada", "exclude": ["nope-4711"], "strict": True}),
        ("POST", "/v1/recommendations", {"events": [{"item_id": "nope-4711"}], "strict": True}),
        ("POST", "/v1/recommendations:batch", {"requests": [{"user_id": "nope-4711", "strict": True}]}),
    ],
)
def test_an_unknown_id_is_in_no_problem_and_no_log_line(service, caplog, method, path, body):
    """The engine's own error names it."""
    with caplog.at_level(logging.DEBUG):
        reply = service.send(method, path, **({} if body is None else {"json": body}))
    check_problem(reply, 404, reply.json()["code"])
    assert "4711" not in reply.text
    assert "4711" not in str(reply.headers)
    assert "4711" not in "".join(record.getMessage() for record in caplog.records if record.name.startswith("api"))
