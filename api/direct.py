"""Direct routes: those that take nothing but the request, answered without the framework's general machinery.

They are registered with the framework as all others are, which matches, documents and describes them. Only a request
that it would answer with them is answered here, in a fifth of the time: without a search through the routers, and
without resolving dependencies, of which such a route has none but what it `requires`.
"""

import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from re import Pattern
from typing import Self

from fastapi import Request, Response
from fastapi.routing import APIRoute
from starlette.convertors import StringConvertor
from starlette.routing import BaseRoute
from starlette.types import Receive, Scope, Send

from api.access.requires import Requirement

_Answer = Callable[[Request], Awaitable[Response]]


@dataclass(frozen=True)
class DirectRoute:
    """A route of GET whose function takes a request and gives its response. `requirements`: checked before."""

    route: APIRoute
    pattern: Pattern[str]
    requirements: tuple[Requirement, ...]
    answer: _Answer

    @classmethod
    def of(cls, route: BaseRoute) -> Self | None:
        """`route` as a direct one; None if the framework has more to do for it than that."""
        if not isinstance(route, APIRoute) or route.methods != {"GET"}:
            return None
        needed = [each.call for each in route.dependant.dependencies]
        is_plain = all(isinstance(it, StringConvertor) for it in route.param_convertors.values())
        if not is_plain or not _takes_a_request_alone(route) or not all(isinstance(it, Requirement) for it in needed):
            return None
        return cls(route, route.path_regex, tuple(it for it in needed if isinstance(it, Requirement)), route.endpoint)


def _takes_a_request_alone(route: APIRoute) -> bool:
    parameters = [each.annotation for each in inspect.signature(route.endpoint).parameters.values()]
    return inspect.iscoroutinefunction(route.endpoint) and parameters == [Request]


class DirectRoutes:
    """The direct ones among the `routes` of an application, in the order in which the framework tries them."""

    def __init__(self, routes: Iterable[BaseRoute]) -> None:
        self._routes: Sequence[DirectRoute] = [it for it in map(DirectRoute.of, routes) if it is not None]

    def and_those_of(self, routes: Iterable[BaseRoute]) -> "DirectRoutes":
        """These, and then the direct ones of more `routes`."""
        return DirectRoutes([*(each.route for each in self._routes), *routes])

    @property
    def paths(self) -> tuple[str, ...]:
        """The paths of these routes, as they are documented."""
        return tuple(each.route.path for each in self._routes)

    async def answer(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """Answer the request of `scope` if it is for a direct route; returns whether it is.

        Raises what the route raises, and AccessError if the caller may not ask it.
        """
        if scope["method"] != "GET" or (path := _path_of(scope)) is None:
            return False
        for direct in self._routes:
            if (found := direct.pattern.match(path)) is not None:
                scope["route"], scope["path_params"] = direct.route, found.groupdict()
                await _answer(direct, Request(scope, receive, send), scope, receive, send)
                return True
        return False


async def _answer(direct: DirectRoute, request: Request, scope: Scope, receive: Receive, send: Send) -> None:
    for requirement in direct.requirements:
        await requirement(request)
    response = await direct.answer(request)
    await response(scope, receive, send)


def _path_of(scope: Scope) -> str | None:
    """The path without what a proxy adds; None if the framework has to say where that ends."""
    root: str = scope.get("root_path", "")
    path: str = scope["path"]
    if not root:
        return path
    return path[len(root) :] if path.startswith(f"{root}/") else None
