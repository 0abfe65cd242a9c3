"""OpenAPI: what the framework's document leaves out, or has otherwise than the replies."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from http import HTTPStatus
from typing import Any, TypeAlias

from pydantic import BaseModel

from api.access.guard import Policy
from api.access.requires import Requirement, is_guarded
from api.access_errors import ForbiddenError, KeysUnavailableError, RateLimitedError, UnauthorizedError
from api.errors import (
    Problem,
    UnknownStoreError,
    overloaded_responses,
    problem_responses,
    problem_responses_of_all,
)
from api.messages.bodies import BODIES
from api.messages.body import Body
from api.messages.event_bodies import EVENT_BODIES
from api.messages.formats import ID_FORMAT
from api.messages.queries import ID_IN_PATH
from api.middleware import REQUEST_ID_HEADER, VERSION_HEADER
from api.stores.served_store import OF_A_STORE

Json: TypeAlias = dict[str, Any]

STORE_IN_PATH = "name of the store, as the service was started with"
"""Description of a store's name in a path."""

_REF = "#/components/{}/{}"
_HEADERS: Json = {
    REQUEST_ID_HEADER: {
        "description": "name of the request in the service's log: the client's own, or a new one",
        "required": True,
        "schema": {"type": "string"},
    },
    VERSION_HEADER: {
        "description": "the version that answered; missing until a model is loaded",
        "schema": {"type": "string"},
    },
    "Allow": {"description": "methods of this path", "required": True, "schema": {"type": "string"}},
    "WWW-Authenticate": {
        "description": "`Bearer`, and what is wrong with the key, as in RFC 6750",
        "required": True,
        "schema": {"type": "string"},
    },
    "Retry-After": {"description": "seconds", "schema": {"type": "string"}},
}
_REFUSALS = (UnauthorizedError, ForbiddenError, RateLimitedError)
_SCHEME = "api_key"
_BEARER: Json = {
    "type": "http",
    "scheme": "bearer",
    "description": "A key that `recsys keys new` made; operations name the scope that it needs.",
}
_HEADERS_BY_STATUS = {
    str(HTTPStatus.BAD_REQUEST.value): (REQUEST_ID_HEADER,),  # refused before a version is chosen
    str(HTTPStatus.UNAUTHORIZED.value): (REQUEST_ID_HEADER, VERSION_HEADER, "WWW-Authenticate"),
    str(HTTPStatus.FORBIDDEN.value): (REQUEST_ID_HEADER, VERSION_HEADER, "WWW-Authenticate"),
    str(HTTPStatus.TOO_MANY_REQUESTS.value): (REQUEST_ID_HEADER, VERSION_HEADER, "Retry-After"),
    str(HTTPStatus.METHOD_NOT_ALLOWED.value): (REQUEST_ID_HEADER, VERSION_HEADER, "Allow"),
}


def operation_with_id(id_name: str, query: type[BaseModel]) -> Json:
    """What OpenAPI says of an operation with an id in its path and the query `query`."""
    in_path = {
        "title": id_name.replace("_", " ").title(),
        "type": "string",
        "format": ID_FORMAT,
        "description": ID_IN_PATH,
    }
    return {"parameters": [_parameter("path", id_name, in_path), *operation_with_query(query)["parameters"]]}


def operation_with_query(query: type[BaseModel]) -> Json:
    """What OpenAPI says of an operation with the query `query`."""
    properties = query.model_json_schema().get("properties", {}).items()
    required = set(query.model_json_schema().get("required", ()))
    found = [_parameter("query", *each) for each in properties]
    return {"parameters": [each | {"required": each["name"] in required} for each in found]}


def operation_with_body(model: type[Body], example: Json) -> Json:
    """What OpenAPI says of an operation that takes `model`, with an example to try."""
    content = {"schema": {"$ref": _REF.format("schemas", model.__name__)}, "example": example}
    return {"requestBody": {"required": True, "content": {"application/json": content}}}


def operation_with_body_and_id(id_name: str, model: type[Body], example: Json) -> Json:
    """What OpenAPI says of an operation with an id in its path that takes `model`."""
    in_path = {
        "title": id_name.replace("_", " ").title(),
        "type": "string",
        "format": ID_FORMAT,
        "description": ID_IN_PATH,
    }
    return {"parameters": [_parameter("path", id_name, in_path)], **operation_with_body(model, example)}


def complete(document: Json) -> None:
    """Complete the framework's document in place.

    Reply fields that may be None are never null but left out; bodies, headers, the replies that every operation may
    give, and HEAD are added.
    """
    components = document.setdefault("components", {})
    schemas = components.setdefault("schemas", {})
    for schema in schemas.values():
        _leave_out_nulls(schema)
    schemas.update(_body_schemas(), Problem=Problem.model_json_schema())
    components["headers"] = _HEADERS
    for name, path in document["paths"].items():
        for operation in path.values():
            _complete_operation(operation)
            if name.startswith(OF_A_STORE[0]):
                _add_response(operation["responses"], "503", overloaded_responses()[503])
        if "get" in path:
            path["head"] = _head(path["get"])


def describe_access(document: Json, needed: Mapping[tuple[str, str], Requirement], policy: Policy) -> None:
    """Add to the completed document who may use each operation, and what others are answered. In place."""
    has_keys = False
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            requirement = needed.get(("get" if method == "head" else method, path))
            if requirement is None and is_guarded(path):
                raise RuntimeError(f"{path}: no route says what it requires")
            scope = policy.protected.get(path) if requirement is None else policy.scope_of(requirement)
            if scope is not None:
                has_keys = True
                operation["security"] = [{_SCHEME: [scope]}]
                _add_refusals(operation, (*_REFUSALS, KeysUnavailableError) if policy.is_required else _REFUSALS)
            elif requirement is not None and policy.is_limited:
                _add_refusals(operation, (RateLimitedError,))
    if has_keys:
        document["components"]["securitySchemes"] = {_SCHEME: _BEARER}


def _add_refusals(operation: Json, errors: Sequence[type[Exception]]) -> None:
    for status, reply in problem_responses(*errors).items():
        _add_response(operation["responses"], str(status), reply)
    operation["responses"] = dict(sorted(operation["responses"].items()))


def name_stores(document: Json) -> None:
    """Let the completed document's paths of a store name it: `/v1/{store}/model`. In place."""
    in_path = {"title": "Store", "type": "string", "description": STORE_IN_PATH}
    unknown = problem_responses(UnknownStoreError)[404]
    for path in [path for path in document["paths"] if path.startswith(OF_A_STORE)]:
        operations = document["paths"].pop(path)
        for operation in operations.values():
            operation["parameters"] = [_parameter("path", "store", in_path), *operation.get("parameters", ())]
            _add_response(operation["responses"], "404", unknown)
        start = next(start for start in OF_A_STORE if path.startswith(start))
        document["paths"][f"{start}{{store}}/{path.removeprefix(start)}"] = operations


def _add_response(responses: Json, status: str, added: Json) -> None:
    """Document one more reason for `status`, with headers as elsewhere; HEAD has no content."""
    names = _HEADERS_BY_STATUS.get(status, (REQUEST_ID_HEADER, VERSION_HEADER))
    headers = {name: {"$ref": _REF.format("headers", name)} for name in names}
    known = responses.get(status)
    has_content = "content" in responses[str(HTTPStatus.INTERNAL_SERVER_ERROR.value)]
    content = {"content": added["content"]} if has_content else {}
    texts = (known["description"], added["description"]) if known else (added["description"],)
    responses[status] = {"description": "; ".join(texts), **content, "headers": headers}


def _complete_operation(operation: Json) -> None:
    for parameter in operation.get("parameters", ()):
        parameter["schema"] = _without_null(parameter["schema"])
    responses = operation["responses"]
    for status, reply in problem_responses_of_all().items():
        responses[str(status)] = _either(responses.get(str(status)), reply)
    for status, response in responses.items():
        names = _HEADERS_BY_STATUS.get(status, (REQUEST_ID_HEADER, VERSION_HEADER))
        response["headers"] = {name: {"$ref": _REF.format("headers", name)} for name in names}
    operation["responses"] = dict(sorted(responses.items()))


def _either(own: Json | None, general: Json) -> Json:
    """The response of a status that a route may give for reasons of its own, or for general ones."""
    if own is None:
        return general
    if "content" not in own or "application/problem+json" not in own["content"]:
        return own
    return {**own, "description": f"{own['description']}; {general['description']}"}


def _head(get: Json) -> Json:
    """The operation HEAD of a path: GET without bodies."""
    head = deepcopy(get)
    head["operationId"] = f"head_{get['operationId'].removeprefix('get_')}"
    head["summary"] = f"{get['summary']}: status and headers only"
    for response in head["responses"].values():
        response.pop("content", None)
    return head


def _leave_out_nulls(schema: Json) -> None:
    """Let an object's schema say what is sent: None is left out, and what has another default is always there."""
    optional = set()
    for name, field in schema.get("properties", {}).items():
        if {"type": "null"} in field.get("anyOf", ()):
            optional.add(name)
        schema["properties"][name] = _without_null(field)
    if names := [name for name in schema.get("properties", {}) if name not in optional]:
        schema["required"] = names


def _without_null(field: Json) -> Json:
    """`field`, which is never null."""
    kinds = [kind for kind in field.get("anyOf", ()) if kind != {"type": "null"}]
    if not kinds or len(kinds) == len(field["anyOf"]):
        return field
    rest = {key: value for key, value in field.items() if key != "anyOf" and (key, value) != ("default", None)}
    return rest | (kinds[0] if len(kinds) == 1 else {"anyOf": kinds})


def _parameter(place: str, name: str, schema: Json) -> Json:
    required = place == "path"
    return {"name": name, "in": place, "required": required, "description": schema["description"], "schema": schema}


def _body_schemas() -> Json:
    schemas: Json = {}
    for model in (*BODIES, *EVENT_BODIES):
        schema = model.model_json_schema(ref_template=_REF.format("schemas", "{model}"))
        schemas |= {**schema.pop("$defs", {}), model.__name__: schema}
    return schemas
