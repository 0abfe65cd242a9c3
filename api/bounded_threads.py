"""Threads of their own for one kind of work, with a queue that has an end."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

from api.errors import OverloadedError

_Result = TypeVar("_Result")


class BoundedThreads:
    """Runs up to `threads` calls at once, lets `waiting` more wait, and refuses others. Use it from event loops."""

    def __init__(self, threads: int, *, waiting: int, name: str) -> None:
        self._executor = ThreadPoolExecutor(threads, thread_name_prefix=name)
        self._room = threads + waiting

    async def run(self, call: Callable[[], _Result]) -> _Result:
        """The result of `call`. Raises what it raises, or OverloadedError at once if the queue is full.

        A caller that is cancelled leaves the queue.
        """
        if self._room <= 0:
            raise OverloadedError
        self._room -= 1
        try:
            return await asyncio.wrap_future(self._executor.submit(call))
        finally:
            self._room += 1
