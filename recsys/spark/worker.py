"""Worker: what a task asks of the Python process that it runs in, which runs many tasks, one after the other."""

from collections.abc import Iterator
from contextlib import contextmanager

from recsys.map_ordered import one_blas_thread
from recsys.memory import give_back, keep_one_arena, return_large_arrays


@contextmanager
def in_worker() -> Iterator[None]:
    """One thread for BLAS, because every core has a task; and what the task freed goes back to the system.

    A worker lives as long as the job. What each task leaves behind would add up to several times what one needs.
    """
    keep_one_arena()
    return_large_arrays()
    with one_blas_thread():
        try:
            yield
        finally:
            give_back()
