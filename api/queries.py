"""Queries of lists: read without the framework's general machinery, which takes as long as a search."""

from functools import lru_cache
from typing import Any, TypeVar, cast
from urllib.parse import parse_qsl

from fastapi import Request
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ValidationError

from api.middleware import ESCAPED_SLASH
from recsys.engine.question import MAX_ID_BYTES
from recsys.errors import InvalidRequestError

Query = TypeVar("Query", bound=BaseModel)

# Most requests have the query of another one before them, and what it parses to is frozen.
_KEPT = 256

ID_IN_PATH = f"as the log spells it, percent-encoded; at most {MAX_ID_BYTES} bytes"


def query_of(request: Request, model: type[Query]) -> Query:
    """A request's query as `model`.

    Raises RequestValidationError where `model` refuses it, and InvalidRequestError where it is not UTF-8, or a
    parameter comes twice: taking the last one would silently drop the other.
    """
    return cast(Query, _parsed(request.scope["query_string"], model))


@lru_cache(_KEPT)
def _parsed(query_string: bytes, model: type[BaseModel]) -> BaseModel:
    try:
        pairs = parse_qsl(query_string.decode("latin-1"), keep_blank_values=True, errors="strict")
    except UnicodeDecodeError as error:
        raise InvalidRequestError("query: expected percent-encoded UTF-8") from error
    given = dict(pairs)
    if len(given) < len(pairs):
        _refuse_repeats([name for name, _ in pairs], model)
    try:
        return model.model_validate(given)
    except ValidationError as error:
        problems = [{**problem, "loc": ("query", *problem["loc"])} for problem in error.errors()]
        raise RequestValidationError(problems) from error


def path_id(request: Request, name: str) -> str:
    """The id at `name` of a request's path."""
    return with_slashes(request.path_params[name])


def with_slashes(segment: str) -> str:
    """A segment of the path, as its sender meant it."""
    return segment.replace(ESCAPED_SLASH, "/")


def parameters(id_name: str, model: type[BaseModel]) -> dict[str, Any]:
    """What OpenAPI says of a path with an id and of the query `model`."""
    in_path = _parameter("path", id_name, {"title": _titled(id_name), "type": "string", "description": ID_IN_PATH})
    properties = model.model_json_schema()["properties"].items()
    return {"parameters": [in_path, *(_parameter("query", name, schema) for name, schema in properties)]}


def _refuse_repeats(names: list[str], model: type[BaseModel]) -> None:
    """A name that `model` does not have is not repeated in a reply; it is refused with the others of its kind."""
    for name in model.model_fields:
        if (count := names.count(name)) > 1:
            raise InvalidRequestError(f"query parameter {name}: given {count} times; expected at most once")


def _parameter(place: str, name: str, schema: dict[str, Any]) -> dict[str, Any]:
    return {
        "name": name,
        "in": place,
        "required": place == "path",
        "description": schema["description"],
        "schema": schema,
    }


def _titled(name: str) -> str:
    return name.replace("_", " ").title()
