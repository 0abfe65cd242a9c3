"""Bodies: read within bounds, parsed strictly, refused without repeating what came."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar, get_args

from fastapi import Request
from pydantic import BaseModel, ValidationError
from starlette.requests import ClientDisconnect

from api.errors import BodyTooLargeError, SlowBodyError
from recsys.errors import InvalidRequestError

MAX_BODY_BYTES = 2 * 2**20
"""The longest body, in bytes."""

BODY_SECONDS = 10.0
"""A body is whole so long after its first byte was waited for, or refused."""

Body = TypeVar("Body", bound=BaseModel)


def body_of(model: type[Body]) -> Callable[[Request], Awaitable[Body]]:
    """What reads a request's body as `model`, whatever Content-Type says.

    Raises BodyTooLargeError, SlowBodyError, and InvalidRequestError naming the place and what was expected there.
    """

    async def read(request: Request) -> Body:
        raw = await _read(request)
        try:
            return model.model_validate_json(raw)
        except ValidationError as error:
            complaints = dict.fromkeys(_explain(problem, model) for problem in error.errors(include_input=False))
            raise InvalidRequestError("; ".join([*complaints][:_SHOWN])) from error

    return read


async def _read(request: Request) -> bytes:
    """The whole body; no more of it is kept than the bound, whatever its sender announced."""
    raw = bytearray()
    try:
        async with asyncio.timeout(BODY_SECONDS):
            async for chunk in request.stream():
                raw += chunk
                if len(raw) > MAX_BODY_BYTES:
                    raise BodyTooLargeError
    except TimeoutError as error:
        raise SlowBodyError from error
    except ClientDisconnect as error:
        raise InvalidRequestError("body: the connection was closed before it was whole") from error
    return bytes(raw)


def _explain(problem: Any, model: type[BaseModel]) -> str:
    """One complaint of pydantic's, without the value that came, and without keys that the client made up."""
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
    """Where in the body. What stands below these fields is ids, which are not repeated, and kinds of numbers."""
    end = next((at + 1 for at, part in enumerate(path) if part in _ENDS), len(path))
    return ".".join(["body", *(str(part) for part in path[:end])])


_ENDS = ("boosts", "timestamp")
_SHOWN = 10
