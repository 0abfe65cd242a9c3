"""Accepting: workers that listen on one socket share its connections evenly.

A worker that takes all connections that wait takes those for which others wake up: of two workers, one had all of
32. While it has few, a worker therefore takes one per turn of its event loop, so that one with work to do takes
fewer. When there are many, chance spreads them well enough, and what counts is that none waits: then it takes more.
"""

import asyncio
from collections.abc import Awaitable, Callable
from socket import socket
from typing import Any

from api.process.tls import TlsLoop

ACCEPTED_AT_ONCE = 16
"""Connections that are accepted per turn of the event loop: libuv accepts one per descriptor that listens."""

MANY, FEW = 64, 32
"""A worker that shares a socket accepts so many at once from `MANY` connections on, until it has fewer than `FEW`."""

Listen = Callable[..., Awaitable[asyncio.AbstractServer]]
"""(make a protocol, sock=...): a server that accepts one connection per turn."""


def descriptors(listener: socket, workers: int) -> list[socket]:
    """What a worker listens on: one worker alone takes many connections at once, several take turns."""
    return [listener, *(listener.dup() for _ in range(ACCEPTED_AT_ONCE - 1 if workers == 1 else 0))]


class SharedListener:
    """One worker's part in a socket that others accept from too. `make`: a protocol, whose `control` counts them."""

    def __init__(self, listen: Listen, make: Callable[[], Any], sock: socket) -> None:
        self._listen, self._make, self._sock = listen, make, sock
        self._first: list[asyncio.AbstractServer] = []
        self._more: list[asyncio.AbstractServer] = []
        self._changing: asyncio.Task[None] | None = None

    @property
    def at_once(self) -> int:
        """How many connections are accepted per turn of the event loop."""
        return len(self._first) + len(self._more)

    async def start(self) -> None:
        """Begin to accept."""
        self._first.append(await self._listen(self._accepted, sock=self._sock))

    def close(self) -> None:
        """Accept no more."""
        if self._changing is not None:
            self._changing.cancel()
        for server in (*self._first, *self._more):
            server.close()

    async def wait_closed(self) -> None:
        """Until the connections that were accepted have ended, too."""
        for server in (*self._first, *self._more):
            await server.wait_closed()

    def _accepted(self) -> Any:
        protocol = self._make()
        n = len(protocol.control.connections)
        if self._changing is None or self._changing.done():
            if n >= MANY and not self._more:
                self._changing = asyncio.ensure_future(self._take_many())
            elif n < FEW and self._more:
                self._changing = asyncio.ensure_future(self._take_one())
        return protocol

    async def _take_many(self) -> None:
        for _ in range(ACCEPTED_AT_ONCE - 1):
            self._more.append(await self._listen(self._accepted, sock=self._sock.dup()))

    async def _take_one(self) -> None:
        """Not where one of them is just accepting: it would lose the connection."""
        more, self._more = self._more, []
        for server in more:
            server.close()


class SharingLoop(TlsLoop):
    """The event loop of a worker beside which others accept from the same sockets."""

    async def create_server(  # type: ignore[override]
        self, *arguments: Any, **options: Any
    ) -> "asyncio.AbstractServer | SharedListener":
        """As uvloop's; sockets that are given are shared."""
        sock = options.pop("sock", None)
        if sock is None:
            return await super().create_server(*arguments, **options)

        async def listen(make: Callable[[], Any], *, sock: socket) -> asyncio.AbstractServer:
            return await super(SharingLoop, self).create_server(make, sock=sock, **options)

        listener = SharedListener(listen, arguments[0], sock)
        await listener.start()
        return listener
