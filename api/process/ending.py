"""Ending: a process that was told to end does so in time, whatever hangs in it."""

import os
import signal
import threading
from types import FrameType

import uvicorn

END_SECONDS = 20.0
"""Time after SIGTERM or SIGINT at which a process ends even if a thread or a disk hangs."""


def end_in_time(seconds: float = END_SECONDS) -> None:
    """In a process of uvicorn's, start a clock when a signal tells it to end. Call it in the main thread."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        handler = signal.getsignal(number)
        server = getattr(handler, "__self__", None)
        if isinstance(server, uvicorn.Server):
            signal.signal(number, _Clock(server, seconds).handle)


class _Clock:
    def __init__(self, server: uvicorn.Server, seconds: float) -> None:
        self._server, self._seconds = server, seconds

    def handle(self, number: int, frame: FrameType | None) -> None:
        """Let uvicorn end, and wait no longer than agreed."""
        last = threading.Timer(self._seconds, os._exit, args=(0,))
        last.daemon = True
        last.start()
        self._server.handle_exit(number, frame)
