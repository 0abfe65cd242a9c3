"""EventWriter: events of concurrent requests become durable in one commit."""

import asyncio
import logging
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Condition, Thread
from time import perf_counter

from recsys.errors import EventStoreError
from recsys.event_store.events import Events, NewEvent

MOST_TOGETHER = 5_000
"""The most events of one commit, unless one request has more."""

MOST_WAITING = 50_000
"""Events that wait for a commit; a request that comes then is refused."""

WRITE_SECONDS = 10.0
"""Time in which a request's events must be durable, or it is told that they may not be."""

logger = logging.getLogger(__name__)

Commit = Callable[[float], None]
"""Called with the seconds of each commit."""


@dataclass(eq=False)
class _Request:
    events: Sequence[NewEvent]
    added: "asyncio.Future[int]"
    loop: asyncio.AbstractEventLoop
    given_up: bool = False


class EventWriter:
    """Writes in a thread of its own, one commit after the other: whatever waits is in the next one.

    No event is delayed to wait for others. If a commit is refused for what one request holds, each request gets a
    commit of its own, so that only that one fails. `after_commit` is called in the thread.
    """

    def __init__(
        self,
        events: Events,
        *,
        after_commit: Commit = lambda seconds: None,
        seconds: float = WRITE_SECONDS,
        most_waiting: int = MOST_WAITING,
    ) -> None:
        self._events = events
        self._after_commit = after_commit
        self._seconds = seconds
        self._most_waiting = most_waiting
        self._waiting: deque[_Request] = deque()
        self._n_waiting = 0
        self._changed = Condition()
        self._thread: Thread | None = None
        self._closed = False
        self._last_failure = ""

    async def add(self, events: Sequence[NewEvent]) -> int:
        """Keep `events`; how many were not there before. They are durable when it returns.

        Raises EventStoreError: then some or all may be durable all the same.
        """
        loop = asyncio.get_running_loop()
        request = _Request(events, loop.create_future(), loop)
        self._enqueue(request)
        try:
            return await asyncio.wait_for(request.added, self._seconds)
        except TimeoutError:
            raise EventStoreError(f"{self._events.shown}: no commit within {self._seconds:g} s", "busy") from None
        finally:
            request.given_up = True

    def close(self) -> None:
        """Write what waits, and end the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        if self._thread is not None:
            self._thread.join(self._seconds)

    def _enqueue(self, request: _Request) -> None:
        with self._changed:
            if self._n_waiting >= self._most_waiting:
                raise EventStoreError(f"{self._events.shown}: {self._n_waiting} events wait to be written", "busy")
            if self._thread is None:
                self._thread = Thread(target=self._run, name="event-writer", daemon=True)
                self._thread.start()
            self._waiting.append(request)
            self._n_waiting += len(request.events)
            self._changed.notify()

    def _run(self) -> None:
        while requests := self._next():
            self._write([request for request in requests if not request.given_up])

    def _next(self) -> list[_Request]:
        """The requests of the next commit; none if there will be no more."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._closed)
            taken: list[_Request] = []
            size = 0
            while self._waiting and (not taken or size + len(self._waiting[0].events) <= MOST_TOGETHER):
                taken.append(self._waiting.popleft())
                size += len(taken[-1].events)
            self._n_waiting -= size
            return taken

    def _write(self, requests: list[_Request]) -> None:
        try:
            results: Sequence[int | Exception] = self._commit(requests)
        except EventStoreError as error:
            if error.reason == "failed" and len(requests) > 1:
                for request in requests:
                    self._write([request])
                return
            self._note(error)
            results = [error] * len(requests)
        except Exception as error:  # a fault of ours must not end the thread
            logger.exception("events could not be written")
            results = [error] * len(requests)
        for request, result in zip(requests, results, strict=True):
            _tell(request, result)

    def _commit(self, requests: list[_Request]) -> list[int]:
        if not requests:
            return []
        started = perf_counter()
        added = self._events.add([request.events for request in requests])
        self._last_failure = ""
        self._after_commit(perf_counter() - started)
        return added

    def _note(self, error: EventStoreError) -> None:
        if error.reason != self._last_failure:
            logger.error("events cannot be kept: %s", error)
        self._last_failure = error.reason


def _tell(request: _Request, result: int | Exception) -> None:
    def settle() -> None:
        if request.added.done():  # the client has hung up, or time is over
            return
        if isinstance(result, Exception):
            request.added.set_exception(result)
        else:
            request.added.set_result(result)

    if not request.loop.is_closed():
        request.loop.call_soon_threadsafe(settle)
