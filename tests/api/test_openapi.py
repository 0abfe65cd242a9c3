"""The OpenAPI document: complete, and what the replies are (each reply of these tests is checked against it)."""

import json
from typing import get_args

import httpx
import pytest
from jsonschema import ValidationError

from api.errors import Code
from api.settings import Settings

ALL = {"200", "400", "405", "500", "503"}
BODY = ALL | {"408", "413", "422"}
KEYS = {"401", "403", "429"}
PATHS = {
    ("get", "/v1/users/{user_id}/recommendations"): ALL | {"422", "503"},
    ("get", "/v1/users/{user_id}/similar"): ALL | {"404", "409", "422", "503"},
    ("get", "/v1/items/{item_id}/similar"): ALL | {"404", "409", "422", "503"},
    ("get", "/v1/items/{item_id}"): ALL | {"404", "422", "503"},
    ("get", "/v1/items:find"): ALL | {"422", "503"},
    ("get", "/v1/users:find"): ALL | {"422", "503"},
    ("get", "/v1/users/{user_id}/history"): ALL | {"404", "422", "503"},
    ("get", "/v1/map"): ALL | {"422", "503"},
    ("get", "/v1/model"): ALL | {"422", "503"},
    ("post", "/v1/recommendations"): BODY | {"404", "409"},
    ("post", "/v1/recommendations:batch"): BODY | {"404", "409"},
    ("post", "/v1/items:similar"): BODY | {"404", "409"},
    ("post", "/v1/items:search"): BODY | {"404", "409"},
    ("post", "/v1/items:batch"): BODY | {"404"},
    ("post", "/v1/rank"): BODY,
    ("post", "/v1/pages"): BODY | {"404"},
    ("get", "/livez"): ALL,
    ("get", "/readyz"): ALL | {"503"},
    ("get", "/metrics"): ALL,
}
ADMIN = dict.fromkeys((("post", "/admin/reload"), ("post", "/admin/rollback")), ALL | KEYS | {"409", "422"})
ADMIN |= {
    ("get", "/v1/users:find"): ALL | KEYS | {"422", "503"},
    ("put", "/v1/items/{item_id}"): BODY | KEYS | {"409"},
    ("patch", "/v1/items/{item_id}"): BODY | KEYS | {"404"},
    ("post", "/v1/items:update"): BODY | KEYS,
    ("delete", "/v1/items/{item_id}"): ALL | KEYS | {"404", "409", "422", "503"},
    ("delete", "/v1/users/{user_id}"): ALL | KEYS | {"409", "422"},
    ("get", "/v1/users/{user_id}/data"): ALL | KEYS | {"422"},
}
PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}


@pytest.fixture(scope="module")
def schema(service):
    return service.get("/openapi.json").json()


@pytest.fixture
def schema_with_admin(start, store):
    return start(Settings(store=store, admin_key="correct horse battery")).get("/openapi.json").json()


def operations(schema):
    return {(method, path): each for path, of_path in schema["paths"].items() for method, each in of_path.items()}


def test_every_route_and_every_status_is_documented(schema, schema_with_admin):
    for document, expected in ((schema, PATHS), (schema_with_admin, PATHS | ADMIN)):
        heads = {("head", path): statuses for (method, path), statuses in expected.items() if method == "get"}
        found = {key: set(operation["responses"]) for key, operation in operations(document).items()}
        assert found == expected | heads


def test_errors_are_documented_as_problems(schema_with_admin):
    for (method, _), operation in operations(schema_with_admin).items():
        for status, response in operation["responses"].items():
            if status != "200" and method != "head":
                assert response["content"] == PROBLEM
            assert "content" in response or method == "head"
    fields = schema_with_admin["components"]["schemas"]["Problem"]
    assert set(fields["required"]) == {"type", "title", "status", "detail", "code", "request_id"}
    assert fields["properties"]["code"]["enum"] == [*get_args(Code)]


def test_every_operation_has_its_own_name(schema_with_admin):
    names = [operation["operationId"] for operation in operations(schema_with_admin).values()]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() and "__" not in name for name in names)


def test_the_operators_routes_alone_need_a_key_if_there_is_only_that_of_the_operator(schema_with_admin):
    ((name, scheme),) = schema_with_admin["components"]["securitySchemes"].items()
    assert (scheme["type"], scheme["scheme"]) == ("http", "bearer")
    for (method, path), operation in operations(schema_with_admin).items():
        is_admin = path.startswith("/admin/") or method in {"put", "patch", "delete"} or path == "/v1/items:update"
        is_admin |= path in {"/v1/users:find", "/v1/users/{user_id}/data"}
        assert operation.get("security") == ([{name: ["admin"]}] if is_admin else None)


def test_headers_are_documented(schema_with_admin):
    for operation in operations(schema_with_admin).values():
        for status, response in operation["responses"].items():
            expected = {"X-Request-ID"} | ({"X-Model-Version"} if status != "400" else set())
            expected |= {
                "401": {"WWW-Authenticate"},
                "403": {"WWW-Authenticate"},
                "429": {"Retry-After"},
                "405": {"Allow"},
            }.get(status, set())
            assert response["headers"].keys() == expected


def test_what_is_left_out_of_a_reply_is_neither_required_nor_null(schema):
    schemas = schema["components"]["schemas"]
    for name, optional in {
        "Ranked": {"title", "reasons", "rest", "attributes", "new", "like"},
        "Candidate": {"title", "score", "new"},
        "Reason": {"title"},
        "Like": {"title"},
        "User": {"id"},
        "Recommendations": {"arm", "fresh_events", "unknown_items"},
        "ItemReply": {"title", "new"},
        "SimilarItems": {"arm"},
        "Alive": set(),
    }.items():
        assert schemas[name]["properties"].keys() - set(schemas[name].get("required", ())) == optional
        assert "null" not in json.dumps(schemas[name])


@pytest.mark.parametrize("body", [{"status": "dead"}, {}, {"status": "alive", "age": 3}, []])
def test_a_reply_that_is_not_as_documented_fails_these_tests(service, body):
    request = httpx.Request("GET", "http://service/livez")
    headers = {"X-Request-ID": "a", "Content-Type": "application/json"}
    service.contract.check(httpx.Response(200, request=request, headers=headers, json={"status": "alive"}))
    with pytest.raises(ValidationError):
        service.contract.check(httpx.Response(200, request=request, headers=headers, json=body))


@pytest.mark.parametrize(
    ("status", "headers"),
    [(404, {"X-Request-ID": "a"}), (200, {}), (200, {"X-Request-ID": "a", "WWW-Authenticate": "Bearer"})],
)
def test_an_undocumented_status_or_header_fails_these_tests(service, status, headers):
    request = httpx.Request("GET", "http://service/livez")
    headers = {"Content-Type": "application/json", **headers}
    with pytest.raises((AssertionError, KeyError)):
        service.contract.check(httpx.Response(status, request=request, headers=headers, json={"status": "alive"}))


def test_every_body_is_documented_with_an_example_that_answers(schema, service):
    for path, operations in schema["paths"].items():
        if "post" in operations:
            content = operations["post"]["requestBody"]["content"]["application/json"]
            assert content["schema"]["$ref"].startswith("#/components/schemas/")
            assert service.send("POST", path, json=content["example"]).status_code == 200


def test_bounds_of_bodies_are_documented(schema):
    fields = schema["components"]["schemas"]["QuestionBody"]["properties"]
    assert {"minimum": 1, "maximum": 1000, "default": 10}.items() <= fields["k"].items()
    assert fields["events"]["maxItems"] == 10_000
    assert schema["components"]["schemas"]["QuestionBody"]["additionalProperties"] is False


def test_no_reference_leads_nowhere(schema):
    known = {f"#/components/{kind}/{name}" for kind, names in schema["components"].items() for name in names}
    assert set(_references(schema)) <= known


def test_k_is_documented_with_its_bounds(schema):
    parameters = schema["paths"]["/v1/items/{item_id}/similar"]["get"]["parameters"]
    (k,) = (parameter for parameter in parameters if parameter["name"] == "k")
    assert {"type": "integer", "minimum": 1, "maximum": 1000, "default": 10}.items() <= k["schema"].items()


def test_the_docs_page_is_served(service):
    reply = service.get("/docs")
    assert reply.status_code == 200
    assert "openapi.json" in reply.text


def _references(node):
    if isinstance(node, dict):
        yield from (value for key, value in node.items() if key == "$ref")
    for child in node.values() if isinstance(node, dict) else node if isinstance(node, list) else ():
        yield from _references(child)
