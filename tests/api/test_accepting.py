"""Workers that share a socket: few connections are accepted one by one, many together."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace

import pytest

from api.process.accepting import ACCEPTED_AT_ONCE, FEW, MANY, SharedListener, SharingLoop, descriptors


class Counted(asyncio.Protocol):
    """A connection, counted as those of the service are."""

    def __init__(self, connections: set["Counted"], accepted: list[int], turn: list[int]) -> None:
        self.control = SimpleNamespace(connections=connections)
        accepted.append(turn[0])

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport
        self.control.connections.add(self)

    def connection_lost(self, exc: Exception | None) -> None:
        self.control.connections.discard(self)


@contextmanager
def clients(port: int, n: int) -> Iterator[list[socket.socket]]:
    with ExitStack() as stack:
        yield [stack.enter_context(socket.create_connection(("127.0.0.1", port))) for _ in range(n)]


@pytest.fixture
def loop() -> Iterator[SharingLoop]:
    made = SharingLoop()
    yield made
    made.close()


class Service:
    """A listener of `loop`, and in which turns of the loop it accepted."""

    def __init__(self, loop: SharingLoop) -> None:
        self.loop, self.turn, self.accepted = loop, [0], list[int]()
        self.connections = set[Counted]()
        sock = socket.create_server(("127.0.0.1", 0), backlog=512)
        self.port = int(sock.getsockname()[1])
        listening = loop.create_server(lambda: Counted(self.connections, self.accepted, self.turn), sock=sock)
        listener = loop.run_until_complete(listening)
        assert isinstance(listener, SharedListener)
        self.listener = listener

    async def _turns(self, n_connections: int) -> None:
        for _ in range(2_000):
            if len(self.connections) == n_connections:
                return
            self.turn[0] += 1
            await asyncio.sleep(0)
            await asyncio.sleep(0.0005)
        raise AssertionError(f"{len(self.connections)} connections; expected {n_connections}")

    def until(self, n_connections: int) -> None:
        self.loop.run_until_complete(self._turns(n_connections))

    def close(self) -> None:
        self.listener.close()
        self.loop.run_until_complete(self.listener.wait_closed())


def test_few_connections_are_accepted_one_per_turn_and_many_together(loop: SharingLoop) -> None:
    service = Service(loop)
    assert service.listener.at_once == 1
    with clients(service.port, MANY - 1) as first:
        service.until(MANY - 1)
        assert service.listener.at_once == 1
        with clients(service.port, 60):
            service.until(MANY + 59)
            assert service.listener.at_once == ACCEPTED_AT_ONCE
            quick = service.accepted[MANY + 10 :]
            assert len(quick) > 2 * len(set(quick))  # several in one turn
        for each in first[FEW - 5 :]:
            each.close()
        service.until(FEW - 5)
        with clients(service.port, 2):
            service.until(FEW - 3)
            assert service.listener.at_once == 1
    service.until(0)
    service.close()


def test_what_is_closed_accepts_no_more(loop: SharingLoop) -> None:
    service = Service(loop)
    with clients(service.port, MANY + 20):
        service.until(MANY + 20)
    service.until(0)
    service.close()
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", service.port))


def test_one_worker_takes_many_at_once_and_several_take_turns() -> None:
    with socket.create_server(("127.0.0.1", 0)) as sock:
        alone = descriptors(sock, 1)
        assert len(alone) == ACCEPTED_AT_ONCE
        assert descriptors(sock, 2) == [sock]
        for dup in alone[1:]:
            dup.close()
