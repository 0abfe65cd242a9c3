"""Work in threads, its results in the order in which it was given."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache
from threading import Lock
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Item = TypeVar("Item")
Result = TypeVar("Result")

# The thread that reads and merges keeps no more than a few busy, and each holds a block in memory.
_MOST_THREADS = 4


def map_ordered(
    work: Callable[[Item], Result], items: Iterable[Item], *, threads: int | None = None, ahead: int = 1
) -> Iterator[Result]:
    """`work` of each of `items` in turn, up to `threads` at once; by default as many as there are cores, up to 4.

    `items` is advanced in the caller's thread, and only as results are taken: up to `ahead` more than there are
    threads are handed out before the next result is taken, so that memory is bounded. An error is raised in the place
    of its result.
    """
    threads = threads or min(os.cpu_count() or 1, _MOST_THREADS)
    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for item in items:
                running.append(pool.submit(work, item))
                if len(running) >= threads + ahead:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()


def map_blas(work: Callable[[Item], Result], items: Sequence[Item], *, ahead: int = 1) -> Iterator[Result]:
    """`map_ordered` in as many threads as BLAS has, which keeps one until the last result is taken.

    Blocks of a product are faster so than with the threads of BLAS, which idle between products. In the caller's
    thread alone if there are fewer than two items, BLAS is held to one thread, or another call is at work.
    """
    if len(items) < 2:
        yield from map(work, items)
        return
    with _lending.hold() as threads:
        if threads < 2:
            yield from map(work, items)
        else:
            yield from map_ordered(work, items, threads=threads, ahead=ahead)


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """BLAS has one thread while any caller is inside, in this thread or another.

    Its threads cost small products more than they save, and the last bits of a product may depend on how many there
    are. About 10 microseconds; `threadpool_limits` takes milliseconds.
    """
    with _lending.hold():
        yield


class _Lending:
    """Holds BLAS to one thread from the first of several holders to the last.

    How many threads BLAS has is a setting of the whole process: two that change it at once could leave it changed.
    """

    def __init__(self) -> None:
        self._lock, self._holders = Lock(), 0
        self._release: Callable[[], None] = _nothing

    @contextmanager
    def hold(self) -> Iterator[int]:
        """How many threads the caller may have: those of BLAS, which keeps one; 1 if another caller holds it."""
        with self._lock:
            threads = self._take() if self._holders == 0 else 1
            self._holders += 1
        try:
            yield threads
        finally:
            with self._lock:
                self._holders -= 1
                if self._holders == 0:
                    self._release()

    def _take(self) -> int:
        threads = max((library.num_threads for library in _blas().lib_controllers), default=1)
        self._release = _blas().limit(limits=1).restore_original_limits if threads > 1 else _nothing
        return threads


def _nothing() -> None:
    pass


@cache
def _blas() -> ThreadpoolController:
    """Found once, because that takes milliseconds; numpy's, which multiplies, is loaded by then."""
    return ThreadpoolController().select(user_api="blas")


_lending = _Lending()
