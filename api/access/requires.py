"""requires(scope): what every route below /v1 and /admin says of itself."""

from collections.abc import Iterable
from typing import Any

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.routing import BaseRoute

from api.access.caller import caller_of
from recsys.api_keys.records import Scope

GUARDED = ("v1", "admin")
"""First segments of the paths of which every route needs a scope."""


class Requirement:
    """A dependency that lets a request pass if its caller has `scope`."""

    def __init__(self, scope: Scope) -> None:
        self.scope = scope

    async def __call__(self, request: Request) -> None:
        """Raise AccessError unless the caller may."""
        caller_of(request.scope).check(self.scope)


def requires(scope: Scope) -> Any:
    """A dependency of a route, or of a router: 401 without a key, 403 if the key lacks `scope`."""
    return Depends(Requirement(scope))


def is_guarded(path: str) -> bool:
    """Whether a decoded path, without what a proxy adds, is one that needs a scope."""
    return path.lstrip("/").partition("/")[0] in GUARDED


def scopes_of(routes: Iterable[BaseRoute]) -> dict[tuple[str, str], Scope]:
    """The scope of each operation below /v1 and /admin, by method (lower case) and path.

    Raises RuntimeError if a route says none, so that none is open because it was forgotten.
    """
    found: dict[tuple[str, str], Scope] = {}
    for route in routes:
        if isinstance(route, APIRoute) and is_guarded(route.path):
            needed = {each.call.scope for each in route.dependant.dependencies if isinstance(each.call, Requirement)}
            if len(needed) != 1:
                raise RuntimeError(f"{route.path}: expected one requires(Scope...), got {len(needed)}")
            found |= {(method.lower(), route.path): scope for method in route.methods for scope in needed}
    return found
