"""Why a request is not answered because of who asks."""

from recsys.api_keys.records import Scope
from recsys.errors import RecsysError


class AccessError(RecsysError):
    """A request that is refused because of who asks. The message goes to the client, and names no key."""

    @property
    def headers(self) -> dict[str, str]:
        """Headers of the reply."""
        return {}


class UnauthorizedError(AccessError):
    """No key, or none that is good here."""

    def __init__(self, message: str, *, was_given: bool) -> None:
        super().__init__(message)
        self._was_given = was_given

    @property
    def headers(self) -> dict[str, str]:
        """The scheme, as RFC 6750 has it."""
        return {"WWW-Authenticate": 'Bearer error="invalid_token"' if self._was_given else "Bearer"}


class ForbiddenError(AccessError):
    """The key is good, but not for this."""

    def __init__(self, message: str, *, needed: Scope | None = None) -> None:
        super().__init__(message)
        self._needed = needed

    @property
    def headers(self) -> dict[str, str]:
        """The scope that is missing, as RFC 6750 has it."""
        scope = "" if self._needed is None else f', scope="{self._needed}"'
        return {"WWW-Authenticate": f'Bearer error="insufficient_scope"{scope}'}


class RateLimitedError(AccessError):
    """Too much was asked. `seconds`: after which it may be asked again, None if never in this form."""

    def __init__(self, message: str, *, seconds: float | None) -> None:
        super().__init__(message)
        self.seconds = seconds

    @property
    def headers(self) -> dict[str, str]:
        """When to ask again, in whole seconds."""
        return {} if self.seconds is None else {"Retry-After": str(max(1, int(-(-self.seconds // 1))))}


class KeysUnavailableError(AccessError):
    """This process has no keys, because their file was damaged when it started."""

    @property
    def headers(self) -> dict[str, str]:
        """When to ask again."""
        return {"Retry-After": "2"}
