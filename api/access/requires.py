"""requires(scope): what every route below /v1 and /admin says of itself."""

from collections.abc import Iterable
from typing import Any

from fastapi import Depends, Request
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute

from api.access.caller import caller_of
from recsys.api_keys.records import Scope

GUARDED = ("v1", "admin")
"""First segments of the paths of which every route needs a scope."""


class Requirement:
    """A dependency that lets a request pass if its caller has `scope`."""

    def __init__(self, scope: Scope, *, or_no_operator: bool) -> None:
        self.scope, self.or_no_operator = scope, or_no_operator

    async def __call__(self, request: Request) -> None:
        """Raise AccessError unless the caller may; 404 if nobody can be the operator."""
        caller = caller_of(request.scope)
        if self.scope is Scope.ADMIN and not caller.has_operator:
            if self.or_no_operator:
                return
            raise HTTPException(404)
        caller.check(self.scope)


def requires(scope: Scope, *, or_no_operator: bool = False) -> Any:
    """A dependency of a route, or of a router: 401 without a key, 403 if the key lacks `scope`.

    A route for the operator is a 404 if the service has no key for this store that could be the operator's; with
    `or_no_operator` it is open to everybody then.
    """
    return Depends(Requirement(scope, or_no_operator=or_no_operator))


def is_guarded(path: str) -> bool:
    """Whether a decoded path, without what a proxy adds, is one that needs a scope."""
    return path.lstrip("/").partition("/")[0] in GUARDED


def requirements_of(routes: Iterable[BaseRoute]) -> dict[tuple[str, str], Requirement]:
    """What each operation needs that is below /v1 and /admin, by method (lower case) and path.

    Raises RuntimeError if a route says none, so that none is open because it was forgotten.
    """
    found: dict[tuple[str, str], Requirement] = {}
    for route in routes:
        if isinstance(route, APIRoute) and is_guarded(route.path):
            needed = [each.call for each in route.dependant.dependencies if isinstance(each.call, Requirement)]
            if len(needed) != 1:
                raise RuntimeError(f"{route.path}: expected one requires(Scope...), got {len(needed)}")
            found |= {(method.lower(), route.path): needed[0] for method in route.methods or ()}
    return found
