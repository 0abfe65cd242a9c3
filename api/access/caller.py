"""Caller: who asks, and what that one may do."""

from collections.abc import Callable
from dataclasses import dataclass, field

from starlette.types import Scope as HttpScope

from api.access_errors import AccessError, ForbiddenError, UnauthorizedError
from recsys.api_keys.records import KeyRecord, Scope

_CALLER = "recsys.caller"
_MISSING = "expected a key, as `Authorization: Bearer KEY`"


@dataclass
class Caller:
    """Who sent a request: a key, or somebody without one, who has the scopes `open_scopes`.

    `failure`: why what was sent is not taken for a key. `has_operator`: whether any key
    could be the operator's of the store that is asked. `spend(n)` counts n more questions, and raises
    RateLimitedError. `rate_headers`: what the reply says of limits.
    """

    record: KeyRecord | None = None
    open_scopes: frozenset[Scope] = frozenset()
    failure: AccessError | None = None
    has_operator: bool = True
    spend: Callable[[int], None] = lambda n: None
    rate_headers: dict[str, str] = field(default_factory=dict)

    def check(self, scope: Scope) -> None:
        """Raise ForbiddenError if the key lacks `scope`, UnauthorizedError if there is no key and there should be."""
        if scope in self.open_scopes:
            return
        if self.record is None:
            raise self.failure or UnauthorizedError(_MISSING, was_given=False)
        if not self.record.may(scope):
            raise ForbiddenError(f"this key lacks the scope {scope}", needed=scope)

    def check_store(self, store: str | None) -> None:
        """Raise ForbiddenError if the key is for other stores than this; None: for one that there is not.

        Where nobody needs a key, such a key counts as none.
        """
        if self.record is None or self.record.stores is None:
            return
        if store is None or not self.record.is_for(store):
            self.record, self.failure = None, ForbiddenError("this key is for other stores")
            if not self.open_scopes:
                raise self.failure


NOBODY = Caller()
"""Who asks for a path that needs no key: may do nothing else."""


def count_as(scope: HttpScope, n: int) -> None:
    """Count the request of `scope` as `n` questions; one is counted already. Raises RateLimitedError."""
    if n > 1:
        caller_of(scope).spend(n - 1)


def put_caller(scope: HttpScope, caller: Caller) -> None:
    """Say who sent the request of `scope`."""
    scope[_CALLER] = caller


def caller_of(scope: HttpScope) -> Caller:
    """Who sent the request of `scope`."""
    caller: Caller = scope.get(_CALLER, NOBODY)
    return caller
