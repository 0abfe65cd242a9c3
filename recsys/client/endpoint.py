"""Endpoint: one operation of the service, described once for both clients by a function's signature."""

import functools
import inspect
import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from datetime import datetime
from typing import Any, Concatenate, Generic, ParamSpec, Protocol, TypeVar, get_type_hints, overload
from urllib.parse import quote

from pydantic import TypeAdapter

from recsys.client.unset import UNSET

P = ParamSpec("P")
R = TypeVar("R")

_PLACES = re.compile(r"\{(\w+)\}")

Repeatable = bool | Callable[[Mapping[str, Any]], bool]
"""Whether a call may be sent twice without harm; if that depends on its arguments, a function of these."""


@dataclass(frozen=True, kw_only=True)
class Call(Generic[R]):
    """One request to be sent. `path`: escaped, without the store; `reply`: None for text."""

    method: str
    path: str
    query: Mapping[str, str]
    body: bytes | None
    reply: "TypeAdapter[R] | None"
    repeatable: bool
    for_operator: bool


class Sync(Protocol):
    """A client that waits."""

    def send(self, call: Call[R]) -> R:
        """The reply."""


class Async(Protocol):
    """A client that is awaited."""

    def send_async(self, call: Call[R]) -> Awaitable[R]:
        """The reply, to be awaited."""


class Endpoint(Generic[P, R]):
    """A method of both clients: `client.name(...)` is a reply, or an awaitable of one, with the same arguments.

    Arguments whose names are in `path` go there; the others go into the query of GET and DELETE, and of POST if
    `in_query`, else into the body. Those that are None are left out, so that the service's own defaults hold; if None
    means something else, the default is UNSET.
    """

    def __init__(
        self,
        describe: Callable[Concatenate[Any, P], R],
        method: str,
        path: str,
        *,
        repeatable: Repeatable,
        for_operator: bool,
        in_query: bool,
    ) -> None:
        self.describe, self.method, self.path = describe, method, path
        self.repeatable, self.for_operator, self.in_query = repeatable, for_operator, in_query
        signature = inspect.signature(describe)
        self.signature = signature.replace(parameters=[*signature.parameters.values()][1:])

    @functools.cached_property
    def reply_type(self) -> Any:
        """What the service answers."""
        return get_type_hints(self.describe)["return"]

    @functools.cached_property
    def _reply(self) -> "TypeAdapter[R] | None":
        return None if self.reply_type is str else TypeAdapter(self.reply_type)

    @overload
    def __get__(self, client: None, owner: type) -> "Endpoint[P, R]": ...
    @overload
    def __get__(self, client: Sync, owner: type) -> Callable[P, R]: ...
    @overload
    def __get__(self, client: Async, owner: type) -> Callable[P, Awaitable[R]]: ...
    def __get__(self, client: Sync | Async | None, owner: type) -> Any:
        """The method of `client`."""
        if client is None:
            return self
        send: Callable[[Call[R]], Any] = getattr(client, "send_async", None) or getattr(client, "send")  # noqa: B009

        def ask(*args: P.args, **kwargs: P.kwargs) -> Any:
            return send(self.call(*args, **kwargs))

        functools.update_wrapper(ask, self.describe)
        ask.__signature__ = self.signature  # type: ignore[attr-defined]
        return ask

    def call(self, *args: P.args, **kwargs: P.kwargs) -> Call[R]:
        """The request for these arguments. Raises TypeError, as a function does, if they do not fit."""
        bound = self.signature.bind(*args, **kwargs)
        bound.apply_defaults()
        given = {
            name: value
            for name, value in bound.arguments.items()
            if _is_sent(value, self.signature.parameters[name].default)
        }
        in_path = {name: _in_path(name, bound.arguments[name]) for name in _PLACES.findall(self.path)}
        rest = {name: value for name, value in given.items() if name not in in_path}
        has_query = self.in_query or self.method in {"GET", "DELETE"}
        return Call(
            method=self.method,
            path=self.path.format_map(in_path),
            query={name: _in_query(value) for name, value in rest.items()} if has_query else {},
            body=None if has_query else _json(rest),
            reply=self._reply,
            repeatable=self.repeatable(bound.arguments) if callable(self.repeatable) else self.repeatable,
            for_operator=self.for_operator,
        )


def endpoint(
    method: str,
    path: str,
    *,
    repeatable: Repeatable | None = None,
    for_operator: bool = False,
    in_query: bool = False,
) -> Callable[[Callable[Concatenate[Any, P], R]], Endpoint[P, R]]:
    """Make an `Endpoint` of a method without a body: its arguments are what is sent, what it returns the reply.

    `repeatable`: by default GET, PUT and DELETE are. `for_operator`: it needs a key of the scope admin.
    """
    safe = method in {"GET", "PUT", "DELETE"} if repeatable is None else repeatable
    return lambda describe: Endpoint(
        describe, method, path, repeatable=safe, for_operator=for_operator, in_query=in_query
    )


def _is_sent(value: object, default: object) -> bool:
    """Whether an argument or a field is given: None is sent only if the default is UNSET."""
    return value is not UNSET and (value is not None or default is UNSET)


def _in_path(name: str, text: object) -> str:
    """One segment of a path. A segment of dots would be taken for a folder."""
    if not isinstance(text, str) or not text:
        raise TypeError(f"{name}: expected a text that is not empty")
    return text.replace(".", "%2E") if text in {".", ".."} else quote(text, safe="")


def _in_query(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return ",".join(value) if isinstance(value, Sequence) and not isinstance(value, str) else str(value)


def _json(tree: Any) -> bytes:
    return json.dumps(_plain(tree), ensure_ascii=False, allow_nan=False).encode()


def _plain(value: Any) -> Any:
    """`value` as JSON has it; fields of dataclasses that are None are left out."""
    if is_dataclass(value) and not isinstance(value, type):
        found = {each.name: (getattr(value, each.name), each.default) for each in fields(value)}
        return {name: _plain(it) for name, (it, default) in found.items() if _is_sent(it, default)}
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, datetime):
        return value.isoformat()
    return [*map(_plain, value)] if isinstance(value, Sequence) and not isinstance(value, str) else value
