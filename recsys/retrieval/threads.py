"""Blocks of one search in threads of their own: faster than the threads of BLAS, which idle between products."""

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache, partial
from threading import Lock
from typing import TypeVar

from threadpoolctl import ThreadpoolController

from recsys.map_ordered import map_ordered

Result = TypeVar("Result")

# How many threads BLAS has is a setting of the whole process: two that change it at once could leave it changed.
_blas_is_ours = Lock()


def in_threads(work: Callable[[int], Result], starts: Sequence[int]) -> list[Result]:
    """`work` done for each of `starts`, in their order: in as many threads as BLAS has, which has one meanwhile.

    In the caller's thread alone where BLAS is held to one, or while another call is at work in threads.
    """
    if len(starts) < 2:
        return [work(start) for start in starts]
    with _threads_of_blas() as threads:
        if threads < 2:
            return [work(start) for start in starts]
        with ThreadPoolExecutor(threads) as pool:
            return list(pool.map(work, starts))


def in_threads_as_taken(work: Callable[[int], Result], starts: Sequence[int]) -> Iterator[Result]:
    """The same, but only a few ahead of the results that are taken, for work whose results are too large together.

    BLAS has one thread until the last result is taken or the iterator is closed.
    """
    with _threads_of_blas() as threads:
        if threads < 2:
            yield from map(work, starts)
        else:
            yield from map_ordered(partial(work, start) for start in starts)


@contextmanager
def _threads_of_blas() -> Iterator[int]:
    """How many threads the caller may have: those of BLAS, which keeps one; 1 while another caller has them."""
    if not _blas_is_ours.acquire(blocking=False):
        yield 1
        return
    try:
        threads = max((library.num_threads for library in _blas().lib_controllers), default=1)
        with _blas().limit(limits=1):
            yield threads
    finally:
        _blas_is_ours.release()


@cache
def _blas() -> ThreadpoolController:
    """Found once, for that takes milliseconds; numpy's, which multiplies, is loaded by then."""
    return ThreadpoolController().select(user_api="blas")
