"""When refusals are sent. Each takes about ten microseconds, and a client that asks again at once gets thousands."""

import asyncio
from collections import deque
from time import monotonic
from typing import Protocol

from api.admission.admission import Admission
from api.errors import RETRY_OVERLOADED_SECONDS

REFUSALS_PER_LIST = 4.0
"""Refusals for each list that is answered, to clients that ask again at once."""

HASTY_SECONDS = 0.9 * RETRY_OVERLOADED_SECONDS
"""A client is hasty if it asks again within this time of a refusal. A time shorter than a turn of the event loop is
too short: thousands of hasty clients make turns so long that none of them seems hasty, and no list is answered."""

_LEAST_RATE = 200.0
_MOST_SAVED = 200.0
_TICK_SECONDS = 0.004


class Refused(Protocol):
    """A connection; `refused_at`: when its last refusal was sent, in seconds of the monotonic clock."""

    refused_at: float

    def send_refusal(self, reply: bytes, *, goes_on: bool) -> None:
        """Send `reply`, and close the connection unless it goes on."""


class Pacing:
    """Sends refusals: at once, but to hasty clients at a bounded rate, in order.

    They wait the longer the more there are of them, instead of taking time from the lists that are answered.
    """

    def __init__(self, admission: Admission) -> None:
        self._admission = admission
        self._waiting = deque[tuple[Refused, bytes, bool]]()
        self._allowance, self._as_of, self._n_lists = _MOST_SAVED, monotonic(), 0
        self._is_ticking = False

    def refuse(self, client: Refused, reply: bytes, goes_on: bool) -> bool:
        """Send `reply` now, or later. Returns whether it was now."""
        now = monotonic()
        self._admission.traffic.tally_refusal("overloaded", is_early=True)
        self._renew(now)
        if now - client.refused_at < HASTY_SECONDS and (self._waiting or self._allowance < 1):
            self._waiting.append((client, reply, goes_on))
            self._keep_ticking()
            return False
        self._send(client, reply, goes_on=goes_on, now=now)
        return True

    def _renew(self, now: float) -> None:
        n_lists = self._admission.lists.n_done
        earned = REFUSALS_PER_LIST * (n_lists - self._n_lists) + _LEAST_RATE * (now - self._as_of)
        self._allowance = min(_MOST_SAVED, self._allowance + earned)
        self._as_of, self._n_lists = now, n_lists

    def _send(self, client: Refused, reply: bytes, *, goes_on: bool, now: float) -> None:
        self._allowance = max(0.0, self._allowance - 1)
        client.refused_at = now
        client.send_refusal(reply, goes_on=goes_on)

    def _keep_ticking(self) -> None:
        if not self._is_ticking:
            self._is_ticking = True
            asyncio.get_running_loop().call_later(_TICK_SECONDS, self._tick)

    def _tick(self) -> None:
        now = monotonic()
        self._renew(now)
        while self._waiting and self._allowance >= 1:
            client, reply, goes_on = self._waiting.popleft()
            self._send(client, reply, goes_on=goes_on, now=now)
        self._is_ticking = False
        if self._waiting:
            self._keep_ticking()
