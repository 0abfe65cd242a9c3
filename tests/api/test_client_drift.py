"""The client and the OpenAPI document say the same, both ways: operations, arguments, bodies, replies, errors."""

import inspect
import json
import pkgutil
import types
import typing
from collections.abc import Mapping, Sequence
from dataclasses import MISSING, fields, is_dataclass
from importlib import import_module
from typing import Any, get_args

import pytest
from fastapi import APIRouter
from fastapi.routing import APIRoute

from api import routes
from api.app import create_app
from api.errors import KINDS, Code
from api.settings import Settings
from recsys.client import AsyncClient, Client, ProblemError
from recsys.client.endpoint import Endpoint
from recsys.client.errors import error_class

Json = dict[str, Any]


ON = {"admin_key": "correct horse battery"}
"""Settings that turn everything on, beside the place of events."""


@pytest.fixture(scope="module")
def document(store, tmp_path_factory) -> Json:
    """Of a service in which everything is turned on."""
    settings = Settings(store=store, events=str(tmp_path_factory.mktemp("drift") / "events.db"), **ON)
    return json.loads(json.dumps(create_app(settings).openapi()))


@pytest.fixture(scope="module")
def named_document(store, tmp_path_factory) -> Json:
    """The same with stores that have names."""
    folder = tmp_path_factory.mktemp("drift")
    settings = Settings(
        store=f"shop={store},blog={store}", events=f"shop={folder}/shop.db,blog={folder}/blog.db", **ON
    )
    return json.loads(json.dumps(create_app(settings).openapi()))


def operations(document: Json) -> dict[str, tuple[str, str, Json]]:
    """Method, path and operation by name. HEAD has what GET has, without the body: no method of its own."""
    return {
        operation["operationId"]: (method.upper(), path, operation)
        for path, of_path in document["paths"].items()
        for method, operation in of_path.items()
        if method != "head"
    }


ENDPOINTS = {name: each for name, each in inspect.getmembers(Client) if isinstance(each, Endpoint)}


def test_every_operation_is_a_method_and_every_method_an_operation(document: Json) -> None:
    assert {name: (method, path) for name, (method, path, _) in operations(document).items()} == {
        name: (each.method, each.path) for name, each in ENDPOINTS.items()
    }
    assert {name for name, each in inspect.getmembers(AsyncClient) if isinstance(each, Endpoint)} == set(ENDPOINTS)


def test_everything_is_turned_on(document: Json) -> None:
    """Else an operation could be missing in the document and in the client alike."""
    modules = [import_module(f"api.routes.{each.name}") for each in pkgutil.iter_modules(routes.__path__)]
    routers = [each for module in modules for each in vars(module).values() if isinstance(each, APIRouter)]
    defined = {
        route.name
        for router in routers
        for route in router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
    }
    assert len(defined) > 10
    assert defined <= set(operations(document))


def test_arguments_are_the_parameters_and_the_fields_of_the_body(document: Json) -> None:
    for name, (_, _, operation) in operations(document).items():
        parameters = ENDPOINTS[name].signature.parameters
        sent = {it["name"]: it["schema"] for it in operation.get("parameters", ())}
        required = {it["name"] for it in operation.get("parameters", ()) if it["required"]}
        if body := body_of(operation, document):
            sent |= body["properties"]
            required |= set(body.get("required", ()))
        assert set(parameters) == set(sent), name
        needed = {each.name for each in parameters.values() if each.default is inspect.Parameter.empty}
        assert needed == required, name
        hints = typing.get_type_hints(ENDPOINTS[name].describe)
        in_query = {it["name"] for it in operation.get("parameters", ())}
        for argument, schema in sent.items():
            texts = argument in in_query and hints[argument] == Sequence[str] | None  # joined by commas
            assert texts or takes(hints[argument], schema, document), f"{name}: {argument}"


def test_the_query_and_the_body_are_told_apart(document: Json) -> None:
    for name, (method, _, operation) in operations(document).items():
        in_query = any(it["in"] == "query" for it in operation.get("parameters", ()))
        has_query = ENDPOINTS[name].in_query or method in {"GET", "DELETE"}
        assert has_query or not in_query, name
        assert has_query != ("requestBody" in operation), name


def test_calls_that_need_the_scope_admin_say_so(document: Json) -> None:
    for name, (_, _, operation) in operations(document).items():
        assert ENDPOINTS[name].for_operator == ("admin" in str(operation.get("security"))), name


@pytest.mark.parametrize("which", ["document", "named_document"])
def test_replies_are_as_documented(request: pytest.FixtureRequest, which: str) -> None:
    document = request.getfixturevalue(which)
    for name, (_, _, operation) in operations(document).items():
        content = next(reply for status, reply in operation["responses"].items() if status.startswith("2"))["content"]
        ((media_type, described),) = content.items()
        if media_type == "text/plain":
            assert ENDPOINTS[name].reply_type is str
        else:
            assert_same(ENDPOINTS[name].reply_type, described["schema"], document, name)


def test_paths_of_stores_are_those_of_the_client(named_document: Json, document: Json) -> None:
    plain = {name: path for name, (_, path, _) in operations(document).items()}
    for name, (_, path, _) in operations(named_document).items():
        assert path.replace("/{store}/", "/", 1) == plain[name]
        assert ("/{store}/" in path) == plain[name].startswith(("/v1/", "/admin/"))


def test_every_code_is_raised_as_what_its_status_means() -> None:
    by_code = {kind.code: kind for kind in KINDS}
    assert set(by_code) == set(get_args(Code))
    for code, kind in by_code.items():
        raised = error_class(kind.status, code)
        assert issubclass(raised, ProblemError)
        assert raised is not ProblemError


def body_of(operation: Json, document: Json) -> Json | None:
    if "requestBody" not in operation:
        return None
    return resolved(operation["requestBody"]["content"]["application/json"]["schema"], document)


def resolved(schema: Json, document: Json) -> Json:
    while "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def options(schema: Json, document: Json) -> list[Json]:
    """The schemas that a value may have, but null."""
    found = resolved(schema, document)
    many = found.get("anyOf") or found.get("oneOf") or [found]
    return [resolved(each, document) for each in many if each.get("type") != "null"]


def kinds(annotation: Any) -> list[Any]:
    """The types of a union, but None."""
    is_union = isinstance(annotation, types.UnionType) or typing.get_origin(annotation) is typing.Union
    return [each for each in (get_args(annotation) if is_union else (annotation,)) if each is not types.NoneType]


def takes(annotation: Any, schema: Json, document: Json) -> bool:
    """Whether an argument takes every kind of value that the service does."""
    return all(any(_takes(kind, each, document) for kind in kinds(annotation)) for each in options(schema, document))


_PLAIN = {"string": str, "integer": int, "number": float, "boolean": bool}


def _takes(kind: Any, schema: Json, document: Json) -> bool:
    if "const" in schema or "enum" in schema or schema.get("format") == "date-time":
        return kind is str or getattr(kind, "__name__", "") == "datetime"
    if schema["type"] == "array":
        return typing.get_origin(kind) is Sequence and takes(get_args(kind)[0], schema["items"], document)
    if schema["type"] != "object":
        return kind is _PLAIN[schema["type"]]
    if "properties" not in schema:
        values = schema.get("additionalProperties", True)
        return typing.get_origin(kind) is Mapping and (values is True or takes(get_args(kind)[1], values, document))
    if not is_dataclass(kind):
        return False
    hints, known = typing.get_type_hints(kind), {each.name: each for each in fields(kind)}
    assert set(known) == set(schema["properties"]), kind
    needed = {name for name, each in known.items() if each.default is MISSING}
    assert needed == set(schema.get("required", ())), kind
    return all(takes(hints[name], each, document) for name, each in schema["properties"].items())


def assert_same(annotation: Any, schema: Json, document: Json, place: str) -> None:
    """The type of a reply, or of a part of one, is that of the document."""
    for each in options(schema, document):
        candidates = kinds(annotation)
        if "properties" in each:
            names = set(each["properties"])
            found = [it for it in candidates if is_dataclass(it) and {field.name for field in fields(it)} == names]
            assert found, f"{place}: no type of {annotation} has just the fields {sorted(names)}"
            _assert_same_fields(found[0], each, document, f"{place}.{found[0].__name__}")
        elif each.get("type") == "array":
            assert typing.get_origin(candidates[0]) is tuple, place
            assert_same(get_args(candidates[0])[0], each["items"], document, f"{place}[]")
        elif each.get("type") == "object":
            assert typing.get_origin(candidates[0]) is Mapping, place
            if isinstance(values := each.get("additionalProperties"), dict):
                assert_same(get_args(candidates[0])[1], values, document, f"{place}{{}}")
        elif "type" in each:
            assert _PLAIN[each["type"]] in candidates, f"{place}: {annotation} is no {each['type']}"


def _assert_same_fields(kind: Any, schema: Json, document: Json, place: str) -> None:
    hints = typing.get_type_hints(kind)
    for field in fields(kind):
        is_required = field.name in schema.get("required", ())
        assert (field.default is MISSING) == is_required, f"{place}.{field.name}: required or not"
        assert_same(hints[field.name], schema["properties"][field.name], document, f"{place}.{field.name}")
