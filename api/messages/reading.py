"""Bodies, read: within a time and a length, whatever Content-Type says; large ones are parsed in threads."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from api.bounded_threads import BoundedThreads
from api.cost import tell_points
from api.errors import BodyTooLargeError, SlowBodyError
from api.messages.body import Body
from api.messages.json_text import DuplicateKeyError, parse_json
from api.messages.points import check_budget, points_of
from api.messages.validation import refusal_of_key, validated, validated_in_steps
from api.middleware import BODY_SECONDS, context_of
from recsys.errors import InvalidRequestError

MAX_BODY_BYTES = 2 * 2**20
"""The longest body, in bytes."""

LARGE_BYTES = 16 * 1024
"""A longer body is parsed in a thread, because the event loop would wait for more than a millisecond."""

MAX_PARSING, MAX_WAITING = 1, 15
"""How many large bodies are parsed at once, in a process, and how many wait for that: 32 MiB of them together."""

AnyBody = TypeVar("AnyBody", bound=Body)

_threads = BoundedThreads(MAX_PARSING, waiting=MAX_WAITING, name="bodies")


def body_of(
    model: type[AnyBody], *, seconds: float = BODY_SECONDS
) -> Callable[[Request], Coroutine[None, None, AnyBody]]:
    """A function that reads a request's body as `model`, whatever Content-Type says, within `seconds`.

    It raises BodyTooLargeError, SlowBodyError, OverloadedError if too many large bodies wait to be parsed,
    InvalidRequestError naming the field and what was expected there, and TooCostlyError.
    """

    async def read(request: Request) -> AnyBody:
        raw = await _read(request, seconds)
        context = context_of(request.scope)
        if context.deadline is not None:
            context.deadline.restart()
        parse = partial(_counted, raw, model, n_items=n_items_of(request))
        body, points = parse() if len(raw) <= LARGE_BYTES else await _threads.run(parse)
        check_points(request, points)
        return body

    return read


def n_items_of(request: Request) -> int:
    """Items of the version that answers; 0 if there is none yet."""
    engine = context_of(request.scope).engine
    return 0 if engine is None else engine.n_items


def check_points(request: Request, points: int) -> None:
    """Tell what the request asks for. Raises TooCostlyError if that is more than it may."""
    tell_points(request.scope, points)
    check_budget(points, context_of(request.scope).budget)


def body_in(raw: bytes, model: type[AnyBody]) -> AnyBody:
    """`raw` as `model`. Raises InvalidRequestError."""
    try:
        tree = parse_json(raw)
    except DuplicateKeyError as error:
        raise refusal_of_key(error, model) from None
    if len(raw) <= LARGE_BYTES:
        return validated(model, tree)
    body = validated_in_steps(model, tree)
    body.prepare()
    return body


def _counted(raw: bytes, model: type[AnyBody], *, n_items: int) -> tuple[AnyBody, int]:
    """`raw` as `model`, and its points."""
    body = body_in(raw, model)
    return body, points_of(body, n_items=n_items)


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
