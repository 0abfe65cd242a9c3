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

# How many threads BLAS has is a setting of the whole process: two that change it at once could leave it changed.
_blas_is_lent = Lock()


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
    with _threads_of_blas() as threads:
        if threads < 2:
            yield from map(work, items)
        else:
            yield from map_ordered(work, items, threads=threads, ahead=ahead)


@contextmanager
def _threads_of_blas() -> Iterator[int]:
    """How many threads the caller may have: those of BLAS, which keeps one; 1 while another caller has them."""
    if not _blas_is_lent.acquire(blocking=False):
        yield 1
        return
    try:
        threads = max((library.num_threads for library in _blas().lib_controllers), default=1)
        with _blas().limit(limits=1):
            yield threads
    finally:
        _blas_is_lent.release()


@cache
def _blas() -> ThreadpoolController:
    """Found once, because that takes milliseconds; numpy's, which multiplies, is loaded by then."""
    return ThreadpoolController().select(user_api="blas")
