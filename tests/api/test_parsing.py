"""What is refused because two parsers could read it in two ways: each variant, whole and byte by byte."""

import h11
import pytest

from api.process.parsing import HEADER_BYTES, MAX_HEADERS, StrictConnection
from torture.clients import ACCEPTED, FLOODS, REFUSED


def _events(connection: StrictConnection, parts: list[bytes]) -> list[object]:
    events = []
    for part in parts:
        connection.receive_data(part)
        while (event := connection.next_event()) not in (h11.NEED_DATA, h11.PAUSED):
            events.append(event)
    return events


def _pieces(request: bytes, size: int) -> list[bytes]:
    return [request[at : at + size] for at in range(0, len(request), size)]


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", [*REFUSED, *FLOODS])
def test_is_refused(name: str, size: int) -> None:
    with pytest.raises(h11.RemoteProtocolError):
        _events(StrictConnection(), _pieces((REFUSED | FLOODS)[name][:30_000], size))


@pytest.mark.parametrize("size", [1, 7, 1 << 20])
@pytest.mark.parametrize("name", ACCEPTED)
def test_is_accepted(name: str, size: int) -> None:
    events = _events(StrictConnection(), _pieces(ACCEPTED[name], size))
    assert isinstance(events[0], h11.Request)
    assert isinstance(events[-1], h11.EndOfMessage)


def test_the_bounds_are_those_that_are_documented() -> None:
    line = b"GET / HTTP/1.1\r\nHost: x\r\nX: "
    longest = line + b"x" * (HEADER_BYTES - len(line))
    assert len(_events(StrictConnection(), [longest + b"\r\n\r\n"])) == 2
    with pytest.raises(h11.RemoteProtocolError):
        _events(StrictConnection(), [longest + b"x\r\n\r\n"])
    most = b"GET / HTTP/1.1\r\nHost: x" + b"\r\nX: y" * (MAX_HEADERS - 1)
    assert len(_events(StrictConnection(), [most + b"\r\n\r\n"])) == 2
    with pytest.raises(h11.RemoteProtocolError):
        _events(StrictConnection(), [most + b"\r\nX: y\r\n\r\n"])


def test_the_second_request_of_a_packet_is_read_as_strictly() -> None:
    connection = StrictConnection()
    _events(connection, [b"GET / HTTP/1.1\r\nHost: x\r\n\r\n" + REFUSED["Content-Length and Transfer-Encoding"]])
    connection.send(h11.Response(status_code=200, headers=[("Content-Length", "0")]))
    connection.send(h11.EndOfMessage())
    connection.start_next_cycle()
    with pytest.raises(h11.RemoteProtocolError):
        connection.next_event()
