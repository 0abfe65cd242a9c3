"""Blocks of one search in threads of their own: faster than the threads of BLAS, which idle between products."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from threading import Lock
from typing import TypeVar

from threadpoolctl import ThreadpoolController

Result = TypeVar("Result")

# How many threads BLAS has is a setting of the whole process: two that change it at once could leave it changed.
_blas_is_ours = Lock()


def in_threads(work: Callable[[int], Result], starts: Sequence[int]) -> list[Result]:
    """`work` done for each of `starts`, in their order: in as many threads as BLAS has, which has one meanwhile.

    In the caller's thread alone where BLAS is held to one, or while another call is at work in threads.
    """
    if len(starts) < 2 or not _blas_is_ours.acquire(blocking=False):
        return [work(start) for start in starts]
    try:
        threads = max((library.num_threads for library in _blas().lib_controllers), default=1)
        return _shared_out(work, starts, threads) if threads > 1 else [work(start) for start in starts]
    finally:
        _blas_is_ours.release()


def _shared_out(work: Callable[[int], Result], starts: Sequence[int], threads: int) -> list[Result]:
    with _blas().limit(limits=1), ThreadPoolExecutor(threads) as pool:
        return list(pool.map(work, starts))


@cache
def _blas() -> ThreadpoolController:
    """Found once, for that takes milliseconds; numpy's, which multiplies, is loaded by then."""
    return ThreadpoolController().select(user_api="blas")
