"""Slow clients, half-open connections and caps, against the protocol over real sockets."""

import resource
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from api.process.connections import Limits
from tests.api.protocol_server import Running, connect, exchange, problem_of, read_all, read_reply, running
from torture.clients import ACCEPTED, FLOODS, HALF_OPEN, REFUSED, is_closed

GET = b"GET /a HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as server:
        yield server


def test_whatever_is_refused_is_answered_once_and_closed(server: Running) -> None:
    before = len(server.seen)
    for name, request in (REFUSED | FLOODS).items():
        reply = exchange(server.port, request + GET)
        assert reply.startswith(b"HTTP/1.1 400 "), name
        assert reply.count(b"HTTP/1.1 ") == 1, name
        assert problem_of(reply)["code"] == "malformed_request"
    assert not [path for _, path, _ in server.seen[before:] if "smuggled" in path or path == "/a"]
    for name, request in ACCEPTED.items():
        with connect(server.port) as connection:
            connection.sendall(request)
            assert read_reply(connection).startswith(b"HTTP/1.1 200 "), name


@pytest.mark.parametrize("kind", HALF_OPEN)
def test_a_half_open_connection_is_closed_at_its_deadline(server: Running, kind: str) -> None:
    """It drips on, a byte at a time, for as long as it may."""
    with connect(server.port) as connection:
        connection.sendall(HALF_OPEN[kind])
        started = time.monotonic()
        connection.settimeout(0.05)
        while time.monotonic() - started < 5 and not is_closed(connection, drip=bool(HALF_OPEN[kind])):
            pass
        assert time.monotonic() - started < 4


def test_a_body_that_nobody_reads_keeps_a_connection_for_a_moment_only() -> None:
    started = time.monotonic()
    with running(body=60.0) as server, connect(server.port) as connection:
        connection.sendall(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhe")
        assert read_all(connection).startswith(b"HTTP/1.1 404 ")
    assert time.monotonic() - started < 5


def test_a_small_body_that_nobody_reads_does_not_end_the_connection(server: Running) -> None:
    with connect(server.port) as connection:
        for _ in range(3):
            connection.sendall(b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello")
            assert read_reply(connection).startswith(b"HTTP/1.1 404 ")
        time.sleep(0.6)
        connection.sendall(GET)
        assert read_reply(connection).startswith(b"HTTP/1.1 200 ")


def test_a_reader_that_does_not_read_is_dropped(server: Running) -> None:
    before = server.metric('recsys_connections_closed_total{reason="slow_reader"}')
    with connect(server.port) as connection:
        connection.sendall(b"GET /big HTTP/1.1\r\nHost: x\r\n\r\n")
        deadline = time.monotonic() + 5
        while server.metric('recsys_connections_closed_total{reason="slow_reader"}') == before:
            assert time.monotonic() < deadline
        assert len(server.control.connections) == 0


def test_an_idle_connection_that_has_asked_before_may_wait(server: Running) -> None:
    with connect(server.port) as connection:
        for pause in (0.0, 1.0):
            time.sleep(pause)
            connection.sendall(GET)
            assert read_reply(connection).startswith(b"HTTP/1.1 200 ")


def test_a_slow_answer_is_not_a_slow_client(server: Running) -> None:
    with connect(server.port) as connection:
        connection.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        assert read_reply(connection).startswith(b"HTTP/1.1 200 ")


def test_thousands_of_requests_in_one_packet_are_all_answered_in_turn(server: Running) -> None:
    before, n = len(server.seen), 2_000
    with connect(server.port) as connection:
        connection.sendall(GET * n + b"GET /a HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(connection).count(b"HTTP/1.1 200 OK") == n + 1
    assert len(server.seen) - before == n + 1


def test_the_oldest_that_waits_is_closed_for_a_new_connection() -> None:
    with running(most=4, head=60.0) as server:
        busy = connect(server.port)
        busy.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        silent = [connect(server.port) for _ in range(3)]
        silent[0].sendall(b"GET / HT")
        time.sleep(0.1)
        assert exchange(server.port, GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n")).startswith(
            b"HTTP/1.1 200 "
        )
        assert read_all(silent[0]) == b""
        silent[1].sendall(GET)
        assert read_reply(silent[1]).startswith(b"HTTP/1.1 200 ")
        assert read_reply(busy).startswith(b"HTTP/1.1 200 ")
        assert server.metric('recsys_connections_closed_total{reason="displaced"}') == 1
        for connection in (busy, *silent):
            connection.close()


def test_a_new_connection_is_refused_if_all_others_are_answered() -> None:
    with running(most=2) as server:
        busy = [connect(server.port) for _ in range(2)]
        for connection in busy:
            connection.sendall(b"GET /wait HTTP/1.1\r\nHost: x\r\n\r\n")
        while len(server.seen) < 2:
            time.sleep(0.01)
        reply = exchange(server.port, GET)
        assert reply.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: 1\r\n" in reply
        assert problem_of(reply)["code"] == "overloaded"
        for connection in busy:
            assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
            connection.close()
        assert server.metric('recsys_refused_total{reason="connections"}') == 1


def test_an_address_has_a_cap_of_its_own() -> None:
    with running(most_of_address=2, head=60.0) as server:
        old, new = connect(server.port), connect(server.port)
        time.sleep(0.1)
        newest = connect(server.port)
        assert read_all(old) == b""
        other = socket.create_connection(("127.0.0.1", server.port), 5, source_address=("127.0.0.2", 0))
        old.close()
        for connection in (new, newest, other):
            connection.sendall(GET)
            assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
            connection.close()


def test_the_cap_follows_from_the_descriptors_that_a_process_may_have() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    allowed = len([*Path("/proc/self/fd").iterdir()]) + 200
    resource.setrlimit(resource.RLIMIT_NOFILE, (allowed, hard))
    try:
        assert 100 < Limits.of_process().most < 200 - 60
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
