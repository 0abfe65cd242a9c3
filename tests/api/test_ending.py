"""A process of the service ends in time after SIGTERM, whatever hangs in it."""

import signal
import subprocess
import sys

import pytest

CODE = """
import asyncio, sys, time, uvicorn
from api.process.ending import end_in_time

async def app(scope, receive, send):
    if scope["type"] == "lifespan":
        await receive()
        end_in_time(0.5)
        await send({"type": "lifespan.startup.complete"})
        print("started", flush=True)
        await receive()
        await asyncio.to_thread(time.sleep, 60)

uvicorn.run(app, port=0, log_level="critical")
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_thread_that_hangs_does_not_keep_it(number: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", CODE], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout.readline() == "started\n"
        process.send_signal(number)
        assert process.wait(30) == 0
