"""Plain requests: read as h11 reads them or not at all, and answered as h11 answers them."""

import random
import re
import time
from collections.abc import Iterator

import h11
import pytest

from api.process.parsing import StrictConnection
from api.process.plain import MOST_BYTES, plain_request
from tests.api.protocol_server import Running, connect, exchange, read_all, running
from torture.clients import ACCEPTED, FLOODS, REFUSED

GET = (
    b"GET /v1/users/a%2Fb/recommendations?k=10&filter=price%20%3C%205 HTTP/1.1\r\nHost: shop:8000\r\n"
    b"Accept-Encoding: gzip, deflate\r\nConnection: keep-alive\r\nX-Empty:\r\nUser-Agent:  some client/1.0 \r\n\r\n"
)
# Bytes that mean something in a head, and some that may not stand there.
_ALPHABET = b" \t\r\n:;,/?#%\0\x0b\x7f\x80GETHP1.0acx"
N_MUTATIONS = 4_000


def read_by_h11(data: bytes) -> tuple[bytes, tuple[tuple[bytes, bytes], ...]]:
    """Target and headers of `data`, which must be one request without a body and nothing else."""
    connection = StrictConnection()
    connection.receive_data(data)
    request = connection.next_event()
    assert isinstance(request, h11.Request)
    assert (request.method, request.http_version) == (b"GET", b"1.1")
    assert isinstance(connection.next_event(), h11.EndOfMessage)
    assert connection.trailing_data == (b"", False)
    assert connection.their_state is h11.DONE  # not MUST_CLOSE: the connection goes on
    return bytes(request.target), tuple((bytes(name), bytes(value)) for name, value in request.headers)


def mutated(rng: random.Random) -> bytes:
    """GET with up to three bytes replaced, put in or taken out, or a line twice."""
    data = bytearray(GET)
    for _ in range(rng.randint(1, 3)):
        at, how = rng.randrange(len(data)), rng.randrange(4)
        if how == 3:
            lines = bytes(data).split(b"\r\n")
            line = rng.randrange(len(lines))
            data = bytearray(b"\r\n".join([*lines[: line + 1], lines[line], *lines[line + 1 :]]))
        else:
            data[at : at + (how > 0)] = bytes([rng.choice(_ALPHABET)]) * (how < 2)
    return bytes(data)


def test_a_plain_request_is_read_as_h11_reads_it() -> None:
    assert plain_request(GET) == read_by_h11(GET)


def test_whatever_is_read_is_read_as_h11_reads_it() -> None:
    rng, n_read = random.Random(1), 0
    for _ in range(N_MUTATIONS):
        data = mutated(rng)
        if (found := plain_request(data)) is not None:
            n_read += 1
            assert found == read_by_h11(data), data
    assert N_MUTATIONS / 10 < n_read < N_MUTATIONS  # both ways are tried


@pytest.mark.parametrize("name", [*REFUSED, *FLOODS])
def test_what_is_refused_is_not_read(name: str) -> None:
    assert plain_request((REFUSED | FLOODS)[name]) is None


@pytest.mark.parametrize(
    "header",
    [b"Connection: close", b"Content-Length: 0", b"Expect: 100-continue", b"Upgrade: h2c", b"Host: y", b"X: \x80"],
)
def test_what_needs_more_is_left_to_h11(header: bytes) -> None:
    assert plain_request(GET[:-2] + header + b"\r\n\r\n") is None


def test_part_of_a_request_and_two_of_them_and_a_long_one_are_left_to_h11() -> None:
    assert plain_request(GET[:-1]) is plain_request(GET + GET) is plain_request(GET + b"x") is None
    longest = GET[:-2] + b"X: " + b"x" * (MOST_BYTES - len(GET) - 5) + b"\r\n\r\n"
    assert plain_request(longest) is not None
    assert plain_request(longest.replace(b"X: ", b"X:  ")) is None
    assert plain_request(ACCEPTED["HTTP/1.0"]) is None


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as started:
        yield started


@pytest.mark.parametrize("path", [b"/a", b"/parts", b"/nothing", b"/unread", b"/%C3%A9/a?b=c"])
def test_replies_are_those_of_h11(server: Running, path: bytes) -> None:
    start = b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n"
    with connect(server.port) as connection:
        connection.sendall(start + b"\r\n")
        time.sleep(0.1)
        connection.sendall(start + b"Connection: close\r\n\r\n")  # not plain: h11 answers
        plain, by_h11 = re.split(rb"(?=HTTP/1\.1)", read_all(connection))[1:]
    assert b"\r\nConnection: close\r\n" in by_h11
    assert _without_date(plain) == _without_date(by_h11.replace(b"Connection: close\r\n", b""))
    assert server.seen[-1] == server.seen[-2] if path == b"/a" else True


def _without_date(reply: bytes) -> bytes:
    head, _, body = reply.partition(b"\r\n\r\n")
    lines = [line.lower() for line in head.split(b"\r\n") if not line.lower().startswith(b"date:")]
    return b"\r\n".join([lines[0], *sorted(lines[1:])]) + b"\r\n\r\n" + body


def test_a_header_cannot_begin_another(server: Running) -> None:
    reply = exchange(server.port, b"GET /split HTTP/1.1\r\nHost: x\r\n\r\n")
    assert reply.startswith(b"HTTP/1.1 500") and b"njected" not in reply


def test_a_failure_is_answered_and_the_connection_closed(server: Running) -> None:
    assert exchange(server.port, b"GET /fails HTTP/1.1\r\nHost: x\r\n\r\n").startswith(b"HTTP/1.1 500")


def test_requests_sent_before_the_reply_are_answered_in_turn(server: Running) -> None:
    with connect(server.port) as connection:
        for path in (b"/wait", b"/first", b"/second"):
            connection.sendall(b"GET " + path + b" HTTP/1.1\r\nHost: x\r\n\r\n")
            time.sleep(0.05)
        connection.sendall(b"GET /last HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert read_all(connection).count(b"HTTP/1.1 200 OK") == 4
    assert [path for _, path, _ in server.seen[-4:]] == ["/wait", "/first", "/second", "/last"]
