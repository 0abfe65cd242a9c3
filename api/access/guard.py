"""Guard: says of every request who sent it, before anything else is done for it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from starlette.types import Scope as HttpScope

from api.access.caller import NOBODY, Caller
from api.access.credentials import key_of
from api.access.key_source import OF_ADMIN, KeySource
from api.access.limiter import Limiter
from api.access.requires import Requirement, is_guarded
from api.access.wrong_keys import MOST, SECONDS, WrongKeys
from api.access_errors import AccessError, KeysUnavailableError, RateLimitedError, UnauthorizedError
from api.settings import Settings
from recsys.api_keys.key_text import is_made_key
from recsys.api_keys.records import Allowance, KeyRecord, Scope

_OPEN = frozenset({Scope.READ, Scope.EVENTS})
_PAGES = {
    "/metrics": ("metrics", Scope.METRICS),
    "/docs": ("docs", Scope.READ),
    "/openapi.json": ("docs", Scope.READ),
}
_ANONYMOUS = "address "


@dataclass(frozen=True)
class Policy:
    """What a service asks of those who ask.

    `is_required`: nothing under /v1 without a key. `has_operator`: operator's routes need one. `is_limited`: those
    without a key have a limit. `protected`: pages that need a key.
    """

    is_required: bool
    has_operator: bool
    is_limited: bool
    protected: Mapping[str, Scope]

    def scope_of(self, requirement: Requirement) -> Scope | None:
        """The scope that a request needs, None if it is answered without a key."""
        needs_key = self.has_operator if requirement.scope is Scope.ADMIN else self.is_required
        return requirement.scope if needs_key else None


class Guard:
    """Keys, limits and wrong keys of a service, for one process."""

    def __init__(self, settings: Settings, *, limiter: Limiter | None = None) -> None:
        self.source = KeySource(settings)
        self._stores = settings.store.names
        self._limiter = Limiter.of_service() if limiter is None else limiter
        self._wrong_keys = WrongKeys()
        self._protected = {path: needed for path, (name, needed) in _PAGES.items() if name in settings.protected}
        self._anonymous: tuple[Allowance, ...] = () if settings.rate is None else (Allowance.of(settings.rate),)

    @property
    def policy(self) -> Policy:
        """What the OpenAPI document says of keys."""
        return Policy(
            is_required=self.source.are_required,
            has_operator=any(map(self.source.has_operator, self._stores)),
            is_limited=bool(self._anonymous) and not self.source.are_required,
            protected=self._protected,
        )

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Follow the file of keys until the end of the block."""
        task = asyncio.create_task(self.source.watch())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    def admit(self, scope: HttpScope, path: str) -> Caller:
        """Who sent a request for the decoded `path`, which has no proxy's prefix. Raises AccessError.

        If keys are required, nobody without a good one passes below /v1 and /admin, whatever is served there.
        """
        needed = self._protected.get(path)
        if needed is None and not is_guarded(path):
            return NOBODY
        must_have_key = needed is not None or self.source.are_required
        caller = self._with_key(scope) if must_have_key else self._open(scope)
        self._limit(caller, scope)
        if needed is not None:
            caller.check(needed)
        return caller

    def _open(self, scope: HttpScope) -> Caller:
        """Reading and events need no key; a key that is sent counts, and a wrong one is told where one is needed."""
        caller = Caller()
        if self.source.keyring is not None and self.source.keyring.records and _has_key(scope):
            try:
                caller = self._with_key(scope)
            except AccessError as error:
                caller.failure = error
        caller.open_scopes = _OPEN
        return caller

    def _with_key(self, scope: HttpScope) -> Caller:
        key = key_of(scope["headers"])
        if key is None:
            raise UnauthorizedError("expected a key, as `Authorization: Bearer KEY`", was_given=False)
        if self.source.keyring is None:
            raise KeysUnavailableError("the file of keys could not be read; the service's log says why")
        return Caller(self._record_of(key, _address(scope)))

    def _record_of(self, key: str, address: str) -> KeyRecord:
        """The record of a good key.

        From an address that has sent too many wrong keys, only keys that `recsys keys new` made are looked up: 256
        random bits are not found by trying, so that honest users of the address are answered. A key that somebody
        chose (RECSYS_ADMIN_KEY) could be; it has to wait.
        """
        wait = self._wrong_keys.wait(address)
        record = None
        if self.source.keyring is not None and (not wait or is_made_key(key)):
            record = self.source.keyring.find(key)
        if record is not None and not record.is_expired(datetime.now(UTC)):
            return record
        if wait:
            raise RateLimitedError(f"{MOST} wrong keys within {SECONDS:g} s came from this address", seconds=wait)
        self._wrong_keys.add(address)
        raise UnauthorizedError("this key is not known here, was revoked, or has expired", was_given=True)

    def _limit(self, caller: Caller, scope: HttpScope) -> None:
        allowances: tuple[Allowance, ...]
        if caller.record is None:
            allowances, who = self._anonymous, f"{_ANONYMOUS}{_address(scope)}"
        elif caller.record.name == OF_ADMIN:
            return
        else:
            allowances, who = caller.record.allowances, caller.record.hash
        if allowances:
            caller.spend = partial(self._spend, caller, who, allowances)
            caller.spend(1)

    def _spend(self, caller: Caller, who: str, allowances: tuple[Allowance, ...], n: int) -> None:
        caller.rate_headers = self._limiter.spend(who, allowances, n)


def _has_key(scope: HttpScope) -> bool:
    return any(name == b"authorization" for name, _ in scope["headers"])


def _address(scope: HttpScope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
