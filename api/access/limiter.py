"""Limiter: how much each key, or each address, has left."""

import os
import time
from collections.abc import Sequence
from pathlib import Path

from limits import RateLimitItem, RateLimitItemPerSecond
from limits.strategies import SlidingWindowCounterRateLimiter

from api.access.counters import SharedCounters
from api.access_errors import RateLimitedError
from api.settings import METRICS_FOLDER
from recsys.api_keys.records import Allowance

FILE_NAME = "limits.table"
"""In the folder in which workers share their metrics."""


class Limiter:
    """Counts questions in sliding windows, exactly for all workers of one service together.

    The window before counts in proportion to what of it is within the last `seconds`, as if it had been even.
    """

    def __init__(self, counters: SharedCounters) -> None:
        self._strategy = SlidingWindowCounterRateLimiter(counters)

    @classmethod
    def of_service(cls) -> "Limiter":
        """The limiter of this process; workers share their counts in the folder of their metrics."""
        folder = os.environ.get(METRICS_FOLDER)
        return cls(SharedCounters(Path(folder) / FILE_NAME if folder else None))

    def spend(self, who: str, allowances: Sequence[Allowance], n: int) -> dict[str, str]:
        """Count `n` questions of `who`, all or none. Returns what the reply says of them; raises RateLimitedError."""
        items = [_item_of(allowance) for allowance in allowances]
        for allowance, item in zip(allowances, items, strict=True):
            if n > allowance.amount:
                raise RateLimitedError(
                    f"{n} questions at once; {_shown(allowance)} are allowed: send smaller ones", seconds=None
                )
            # No limit counts what another one refuses.
            if len(items) > 1 and not self._strategy.test(item, who, cost=n):
                raise self._refusal(who, allowance, item)
        for allowance, item in zip(allowances, items, strict=True):
            if not self._strategy.hit(item, who, cost=n):
                raise self._refusal(who, allowance, item)
        return self._headers(who, items)

    def _refusal(self, who: str, allowance: Allowance, item: RateLimitItem) -> RateLimitedError:
        reset = self._strategy.get_window_stats(item, who).reset_time
        return RateLimitedError(f"{_shown(allowance)} are allowed", seconds=max(0.0, reset - time.time()))

    def _headers(self, who: str, items: Sequence[RateLimitItem]) -> dict[str, str]:
        """As draft-ietf-httpapi-ratelimit-headers-10 has them."""
        policies, left = [], []
        for item in items:
            stats, seconds = self._strategy.get_window_stats(item, who), item.get_expiry()
            policies.append(f'"{seconds}s";q={item.amount};w={seconds}')
            left.append(f'"{seconds}s";r={stats.remaining};t={max(0, round(stats.reset_time - time.time()))}')
        return {"RateLimit-Policy": ", ".join(policies), "RateLimit": ", ".join(left)}


def _item_of(allowance: Allowance) -> RateLimitItem:
    return RateLimitItemPerSecond(allowance.amount, allowance.seconds)


def _shown(allowance: Allowance) -> str:
    return f"{allowance.amount} questions in {allowance.seconds} s"
