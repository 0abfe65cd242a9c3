"""When a call is tried again, and how long is waited before."""

import random
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx

_NOT_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout)
"""The service has seen nothing of the request."""

_LATER = frozenset({429, 502, 503, 504})
"""The service, or a proxy before it, says that it may answer later."""


@dataclass(frozen=True, kw_only=True)
class Retries:
    """Up to `attempts` in all, and between them a random time that may be twice as long each time.

    Calls that may be sent twice without harm are tried again if nothing answers, and after the statuses 429, 502, 503
    and 504; others only if no connection came about. `first`, `longest`: seconds, the upper bounds of the first wait
    and of any wait. A `Retry-After` of the service is kept if it is up to `longest`; a longer one ends the attempts.
    """

    attempts: int = 3
    first: float = 0.1
    longest: float = 5.0

    def wait_after(
        self, outcome: httpx.Response | httpx.TransportError, *, made: int, repeatable: bool
    ) -> float | None:
        """Seconds until the next attempt, None if there is none. `made`: how many there were."""
        if made >= self.attempts or not _may_try_again(outcome, repeatable=repeatable):
            return None
        wait = random.uniform(0, min(self.longest, self.first * 2 ** (made - 1)))
        asked = None if isinstance(outcome, httpx.TransportError) else retry_after(outcome)
        if asked is None:
            return wait
        return None if asked > self.longest else asked + wait


def _may_try_again(outcome: httpx.Response | httpx.TransportError, *, repeatable: bool) -> bool:
    if isinstance(outcome, httpx.TransportError):
        return repeatable or isinstance(outcome, _NOT_SENT)
    return repeatable and outcome.status_code in _LATER


def retry_after(reply: httpx.Response) -> float | None:
    """The seconds that `Retry-After` asks for, given as seconds or as a date; None if there is none."""
    text = reply.headers.get("Retry-After", "").strip()
    if text.isdigit():
        return float(text)
    try:
        until = parsedate_to_datetime(text)
    except ValueError:
        return None
    aware = until if until.tzinfo else until.replace(tzinfo=UTC)
    return max(0.0, (aware - datetime.now(UTC)).total_seconds())
