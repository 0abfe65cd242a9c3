"""Calls that wait for a database: bounded in number and in time."""

import asyncio
import threading

import pytest

from api.events.store_calls import AT_ONCE, StoreCalls
from recsys.errors import EventStoreError


def test_what_comes_while_too_many_wait_is_refused_at_once_and_none_waits_for_ever():
    locked = threading.Event()
    calls = StoreCalls("events.db", most=AT_ONCE + 2, seconds=0.2)

    async def ask():
        waiting = [asyncio.create_task(calls.make(locked.wait, 30)) for _ in range(AT_ONCE + 2)]
        await asyncio.sleep(0)
        with pytest.raises(EventStoreError, match=f"events.db: {AT_ONCE + 2} calls wait for it") as refused:
            await calls.make(bool)
        assert refused.value.reason == "busy"
        for each in await asyncio.gather(*waiting, return_exceptions=True):
            assert str(each) == "events.db: no answer within 0.2 s"
        locked.set()
        return await calls.make(sum, [1, 2])

    assert asyncio.run(ask()) == 3
    calls.close()
