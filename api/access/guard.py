"""Guard: says of every request who sent it, before anything else is done for it."""

from datetime import UTC, datetime
from functools import partial

from starlette.types import Scope as HttpScope

from api.access.caller import NOBODY, Caller
from api.access.credentials import key_of
from api.access.errors import AccessError, KeysUnavailableError, RateLimitedError, UnauthorizedError
from api.access.key_source import OF_ADMIN, KeySource
from api.access.limiter import Limiter
from api.access.requires import is_guarded
from api.access.wrong_keys import MOST, SECONDS, WrongKeys
from api.settings import Settings
from recsys.api_keys.key_text import is_made_key
from recsys.api_keys.records import Allowance, KeyRecord, Scope

_OPEN = frozenset({Scope.READ, Scope.EVENTS})
_PAGES = {"/metrics": ("metrics", Scope.METRICS), "/docs": ("docs", Scope.READ), "/openapi.json": ("docs", Scope.READ)}
_ANONYMOUS = "address "


class Guard:
    """Keys, limits and wrong keys of a service, for one process."""

    def __init__(self, settings: Settings, *, limiter: Limiter | None = None) -> None:
        self.source = KeySource(settings)
        self._limiter = Limiter.of_service() if limiter is None else limiter
        self._wrong_keys = WrongKeys()
        self._protected = {path: needed for path, (name, needed) in _PAGES.items() if name in settings.protected}
        self._anonymous = () if settings.rate is None else (Allowance.of(settings.rate),)

    def admit(self, scope: HttpScope, path: str) -> Caller:
        """Who sent a request for the decoded `path`, which has no proxy's prefix. Raises AccessError.

        Below /v1 and /admin nobody passes without a good key, if keys are required, whether the path is served or not.
        """
        needed = self._protected.get(path)
        if needed is None and not is_guarded(path):
            return NOBODY
        if needed is not None or self.source.are_required:
            caller = self._with_key(scope)
        else:
            caller = self._open(scope)
        self._limit(caller, scope)
        if needed is not None:
            caller.check(needed)
        return caller

    def _open(self, scope: HttpScope) -> Caller:
        """Reading and events need no key; a key that is sent counts, and a wrong one is told where one is needed."""
        try:
            caller = self._with_key(scope)
        except AccessError as error:
            caller = Caller(failure=error)
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


def _address(scope: HttpScope) -> str:
    client = scope.get("client")
    return client[0] if client else ""
