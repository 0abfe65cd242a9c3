"""Bodies, read: within a time and a length, whatever Content-Type says."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import TypeVar, get_args

from fastapi import Request
from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails
from starlette.requests import ClientDisconnect

from api.errors import BodyTooLargeError, SlowBodyError
from api.messages.body import Body
from recsys.errors import InvalidRequestError

MAX_BODY_BYTES = 2 * 2**20
"""The longest body, in bytes."""


BODY_SECONDS = 10.0
"""Time in which a body must have arrived."""


AnyBody = TypeVar("AnyBody", bound=Body)


def body_of(
    model: type[AnyBody], *, seconds: float = BODY_SECONDS
) -> Callable[[Request], Coroutine[None, None, AnyBody]]:
    """A function that reads a request's body as `model`, whatever Content-Type says, within `seconds`.

    It raises BodyTooLargeError, SlowBodyError, and InvalidRequestError naming the field and what was expected there.
    """

    async def read(request: Request) -> AnyBody:
        raw = await _read(request, seconds)
        try:
            return model.model_validate_json(raw)
        except ValidationError as error:
            explained = dict.fromkeys(_explain(problem, model) for problem in error.errors(include_input=False))
            raise InvalidRequestError("; ".join([*explained][:_MAX_SHOWN])) from error

    return read


async def _read(request: Request, seconds: float) -> bytes:
    """The whole body. It is bounded while it is read, whatever length its sender announced."""
    raw = bytearray()
    try:
        async with asyncio.timeout(seconds):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise BodyTooLargeError
    except TimeoutError as error:
        raise SlowBodyError from error
    except ClientDisconnect as error:
        raise InvalidRequestError("body: the connection was closed before it was whole") from error
    return bytes(raw)


def _explain(problem: ErrorDetails, model: type[BaseModel]) -> str:
    """One error of pydantic's, without the value that came, and without keys that the client made up."""
    kind, path = problem["type"], problem["loc"]
    if kind == "extra_forbidden":
        return f"{_place(path[:-1])}: holds an unknown field; expected only {', '.join(_known(model, path[:-1]))}"
    if "timestamp" in path:
        return f"{_place(path)}: expected seconds since 1970, or ISO 8601"
    return f"{_place(path)}: {problem['msg'].replace('Input should be', 'expected')}"


def _known(model: type[BaseModel], path: tuple[int | str, ...]) -> list[str]:
    """The fields of the object at `path`: only lists of objects are nested in bodies."""
    for name in path:
        if isinstance(name, str):
            (model,) = get_args(model.model_fields[name].annotation)
    return list(model.model_fields)


def _place(path: tuple[int | str, ...]) -> str:
    """Where in the body. Below some fields are ids, which are not repeated, or types."""
    end = next((at + 1 for at, part in enumerate(path) if part in _ENDS), len(path))
    return ".".join(["body", *(str(part) for part in path[:end])])


_ENDS = ("boosts", "timestamp", "attributes")


_MAX_SHOWN = 10
