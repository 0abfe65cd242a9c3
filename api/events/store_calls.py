"""StoreCalls: calls that wait for a database, few at a time, of which few wait, and none for long."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import ParamSpec, TypeVar

from recsys.errors import EventStoreError

AT_ONCE = 4
"""Calls that are made at a time; others wait."""

MOST_WAITING = 100
"""Calls that are made or wait; what comes then is refused."""

CALL_SECONDS = 10.0
"""Time in which a call must be done."""

_Parameters = ParamSpec("_Parameters")
_Result = TypeVar("_Result")


class StoreCalls:
    """Makes calls in threads of its own, so that a database that hangs takes none from anything else.

    `shown`: the database in messages. Ask it from one event loop.
    """

    def __init__(self, shown: str, *, most: int = MOST_WAITING, seconds: float = CALL_SECONDS) -> None:
        self._shown, self._most, self._seconds = shown, most, seconds
        self._threads = ThreadPoolExecutor(AT_ONCE, thread_name_prefix="store-calls")
        self._n = 0

    async def make(
        self, call: Callable[_Parameters, _Result], *args: _Parameters.args, **named: _Parameters.kwargs
    ) -> _Result:
        """What `call` gives. Raises EventStoreError if too many wait, or it takes too long: it may be done later."""
        if self._n >= self._most:
            raise EventStoreError(f"{self._shown}: {self._n} calls wait for it", "busy")
        self._n += 1
        called = asyncio.get_running_loop().run_in_executor(self._threads, partial(call, *args, **named))
        try:
            return await asyncio.wait_for(called, self._seconds)
        except TimeoutError:
            raise EventStoreError(f"{self._shown}: no answer within {self._seconds:g} s", "busy") from None
        finally:
            self._n -= 1

    def close(self) -> None:
        """Make no more calls; those that wait are given up."""
        self._threads.shutdown(wait=False, cancel_futures=True)
