"""A queue with an end: what does not fit is refused at once, and threads are free again afterwards."""

import asyncio
import threading

import pytest

from api.bounded_threads import BoundedThreads
from api.errors import OverloadedError

PATIENCE = 30.0


def test_when_all_places_are_taken_the_next_is_refused_and_later_ones_are_not():
    released, started = threading.Event(), []

    def work(at):
        started.append(at)
        assert released.wait(PATIENCE)
        return at

    async def ask():
        threads = BoundedThreads(2, waiting=3, name="test")
        tasks = [asyncio.create_task(threads.run(lambda at=at: work(at))) for at in range(5)]
        await asyncio.sleep(0)
        for _ in range(3):
            with pytest.raises(OverloadedError):
                await threads.run(lambda: None)
        released.set()
        assert await asyncio.gather(*tasks) == [*range(5)]
        return await threads.run(lambda: "later")

    assert asyncio.run(ask()) == "later"
    assert sorted(started) == [*range(5)]


def test_what_raises_or_is_cancelled_gives_its_place_back():
    blocked = threading.Event()

    def fail():
        raise ValueError

    async def ask():
        threads = BoundedThreads(1, waiting=1, name="test")
        for _ in range(5):
            with pytest.raises(ValueError):
                await threads.run(fail)
        first = asyncio.create_task(threads.run(lambda: blocked.wait(PATIENCE)))
        waiting = asyncio.create_task(threads.run(fail))
        await asyncio.sleep(0)
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        next_one = asyncio.create_task(threads.run(lambda: "in its place"))
        await asyncio.sleep(0)
        blocked.set()
        await first
        return await next_one

    assert asyncio.run(ask()) == "in its place"
