"""Bodies, read: within a time and a length, whatever Content-Type says; large ones are parsed in threads."""

import asyncio
from collections.abc import Callable, Coroutine
from functools import partial
from typing import TypeVar

from fastapi import Request
from starlette.requests import ClientDisconnect

from api.bounded_threads import BoundedThreads
from api.errors import BodyTooLargeError, SlowBodyError
from api.messages.body import Body
from api.messages.json_text import DuplicateKeyError, parse_json
from api.messages.validation import refusal_of_key, validated, validated_in_steps
from recsys.errors import InvalidRequestError

MAX_BODY_BYTES = 2 * 2**20
"""The longest body, in bytes."""

BODY_SECONDS = 10.0
"""Time in which a body must have arrived."""

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

    It raises BodyTooLargeError, SlowBodyError, OverloadedError if too many large bodies wait to be parsed, and
    InvalidRequestError naming the field and what was expected there.
    """

    async def read(request: Request) -> AnyBody:
        raw = await _read(request, seconds)
        if len(raw) <= LARGE_BYTES:
            return body_in(raw, model)
        return await _threads.run(partial(body_in, raw, model))

    return read


def body_in(raw: bytes, model: type[AnyBody]) -> AnyBody:
    """`raw` as `model`. Raises InvalidRequestError."""
    try:
        tree = parse_json(raw)
    except DuplicateKeyError as error:
        raise refusal_of_key(error, model) from None
    return (validated if len(raw) <= LARGE_BYTES else validated_in_steps)(model, tree)


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
