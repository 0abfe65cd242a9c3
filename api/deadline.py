"""Deadline: until when a request may be worked on, and whether anybody still waits for its reply.

The event loop waits no longer than that, and work in threads looks it up between two questions.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from contextvars import ContextVar
from time import monotonic
from types import TracebackType
from typing import Self, TypeVar

from starlette.concurrency import run_in_threadpool
from starlette.types import Receive

from api.errors import ClientGoneError, DeadlineExceededError
from recsys.engine.stopping import Check, go_on

_Result = TypeVar("_Result")
_Item = TypeVar("_Item")

_current: ContextVar["Deadline | None"] = ContextVar("deadline", default=None)


class Deadline:
    """The time of one request: `async with` bounds what is done on the event loop, `check` what threads do.

    `seconds`: None if there is no bound. `body_seconds`: time for a body, beside that; `restart` begins to count when
    the body has come. The block raises DeadlineExceededError if it takes longer.
    """

    def __init__(self, seconds: float | None, receive: Receive, *, body_seconds: float = 0.0) -> None:
        self._seconds, self._receive = seconds, receive
        self._timeout = asyncio.timeout(None if seconds is None else seconds + body_seconds)
        self._ends = float("inf") if seconds is None else monotonic() + seconds + body_seconds
        self._is_gone = False
        self.n_checks = 0
        """How often work asked whether to go on."""

    async def __aenter__(self) -> Self:
        await self._timeout.__aenter__()
        self._token = _current.set(self)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        _current.reset(self._token)
        try:
            await self._timeout.__aexit__(kind, error, trace)
        except TimeoutError:
            raise DeadlineExceededError from None

    def restart(self) -> None:
        """The body has come: the time begins now."""
        if self._seconds is not None and not self._timeout.expired():
            self._ends = monotonic() + self._seconds
            self._timeout.reschedule(asyncio.get_running_loop().time() + self._seconds)

    def check(self) -> None:
        """Raise ClientGoneError or DeadlineExceededError if nobody waits any more. Any thread may call it."""
        self.n_checks += 1
        if self._is_gone:
            raise ClientGoneError
        if monotonic() > self._ends:
            raise DeadlineExceededError

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Notice within the block if the client closes the connection. The body must have been read."""
        watcher = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watcher.cancel()

    async def _watch(self) -> None:
        while (await self._receive())["type"] != "http.disconnect":
            pass
        self._is_gone = True


def current_deadline() -> Deadline | None:
    """The deadline of the request that is being answered; None outside of requests."""
    return _current.get()


async def in_thread(work: Callable[[Check], _Result]) -> _Result:
    """What `work` gives, in a thread; it gets the check of this request's deadline, to call between its steps.

    Work whose turn comes too late, or when the client has gone, is not begun. Raises ClientGoneError and
    DeadlineExceededError.
    """
    deadline = current_deadline()
    if deadline is None:
        return await run_in_threadpool(work, go_on)

    def begun() -> _Result:
        deadline.check()
        return work(deadline.check)

    async with deadline.watching():
        return await run_in_threadpool(begun)


async def alone_in_thread(call: Callable[[], _Result]) -> _Result:
    """As `in_thread`, for one step."""
    return await in_thread(lambda check: call())


async def turns(items: Sequence[_Item], *, every: int = 10) -> AsyncIterator[_Item]:
    """`items` on the event loop, which others get after `every` of them."""
    for at, item in enumerate(items, 1):
        yield item
        if at % every == 0:
            await asyncio.sleep(0)
