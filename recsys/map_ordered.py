"""Work done in threads, handed out in the order it was given."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

Result = TypeVar("Result")

# The thread that reads and merges keeps no more than a few busy, and each holds a block in memory.
_MOST_THREADS = 4


def map_ordered(tasks: Iterable[Callable[[], Result]]) -> Iterator[Result]:
    """The result of each task in turn; as many run at once as there are cores, and one more waits.

    `tasks` is advanced in the caller's thread, and only as results are taken, so that memory is bounded.
    """
    threads = min(os.cpu_count() or 1, _MOST_THREADS)
    running: deque[Future[Result]] = deque()
    with ThreadPoolExecutor(threads) as pool:
        try:
            for task in tasks:
                running.append(pool.submit(task))
                if len(running) > threads:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
