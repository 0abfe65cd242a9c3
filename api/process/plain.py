"""Plain requests: a whole GET without a body, read by one regular expression and answered in one write.

h11 takes 80 microseconds of a processor for such a request and its reply, this a tenth of it. What is accepted here
is a small part of what `StrictConnection` accepts, and read as it reads it; everything else is left to that.
"""

import re
from functools import lru_cache
from http import HTTPStatus
from typing import Any

from uvicorn.protocols.http.h11_impl import RequestResponseCycle

MOST_BYTES = 4096
"""A longer request is left to h11."""

# Possessive, so that no input makes it go back and try again.
_TARGET = rb"(/[!-~]*+)"
_NAME = rb"[-!#$%&'*+.^_`|~0-9A-Za-z]++"
_VALUE = rb"(?:[!-~]++(?: ++[!-~]++)*+)?"
_REQUEST = re.compile(
    rb"GET " + _TARGET + rb" HTTP/1\.1\r\n((?:" + _NAME + rb": *+" + _VALUE + rb" *+\r\n){1,50}+)\r\n"
)

# They say where a message ends, whether the connection goes on, or that something is to be sent before the reply.
_LEFT_TO_H11 = frozenset({b"content-length", b"transfer-encoding", b"expect", b"upgrade"})
_CONNECTION, _HOST, _KEEP_ALIVE = b"connection", b"host", b"keep-alive"

_CACHED_HEADERS = 256

_STATUS_LINES = {int(status): b"HTTP/1.1 %d %b\r\n" % (status, status.phrase.encode()) for status in HTTPStatus}
_BODILESS = (204, 304)

Headers = tuple[tuple[bytes, bytes], ...]


def plain_request(data: bytes) -> tuple[bytes, Headers] | None:
    """Target and headers (names in lower case) if `data` is one plain request and nothing else, else None."""
    if len(data) > MOST_BYTES or (found := _REQUEST.fullmatch(data)) is None:
        return None
    target, lines = found.groups()
    headers = _headers(lines)
    return None if headers is None else (target, headers)


@lru_cache(_CACHED_HEADERS)  # clients send the same headers again and again
def _headers(lines: bytes) -> Headers | None:
    """The headers of `lines`, each of which ends in CRLF; None if they are more than plain."""
    parts = [line.partition(b":") for line in lines.split(b"\r\n")[:-1]]
    headers = tuple((name.lower(), value.strip(b" ")) for name, _, value in parts)
    names = [name for name, _ in headers]
    if names.count(_HOST) != 1 or not _LEFT_TO_H11.isdisjoint(names):
        return None
    if any(value.lower() != _KEEP_ALIVE for name, value in headers if name == _CONNECTION):
        return None
    return headers


class PlainCycle(RequestResponseCycle):
    """A plain request and its reply, which is written at once if the application gives it at once."""

    _head = b""
    _is_chunked = _is_bodiless = False
    _left = 0

    async def send(self, message: Any) -> None:
        """As ASGI says. Raises RuntimeError for messages out of turn, and for headers that could be read as two."""
        if self.flow.write_paused and not self.disconnected:
            await self.flow.drain()
        if self.disconnected:
            return
        if not self.response_started:
            self._start(message)
        elif not self.response_complete:
            self._write(message)
        else:
            raise RuntimeError(f"got the ASGI message {message['type']!r} after the reply; expected none")

    def _start(self, message: Any) -> None:
        """Make the head; it is sent with what comes next."""
        if message["type"] != "http.response.start":
            raise RuntimeError(f"got the ASGI message {message['type']!r}; expected http.response.start")
        status, headers = message["status"], [*self.default_headers, *message.get("headers", ())]
        lengths = [int(value) for name, value in headers if name == b"content-length"]
        self._is_bodiless = status in _BODILESS
        self._is_chunked = not lengths and not self._is_bodiless
        self._left = lengths[0] if lengths else 0
        if self._is_chunked:
            headers.append((b"transfer-encoding", b"chunked"))
        if (b"connection", b"close") in headers:
            self.keep_alive = False
        elif not self.keep_alive:
            headers.append((b"connection", b"close"))
        self._head = _head_of(status, headers)
        self.response_started = True

    def _write(self, message: Any) -> None:
        if message["type"] != "http.response.body":
            raise RuntimeError(f"got the ASGI message {message['type']!r}; expected http.response.body")
        body, is_last = message.get("body", b""), not message.get("more_body", False)
        self.transport.write(self._head + self._framed(body, is_last=is_last))
        self._head = b""
        if is_last:
            self.response_complete = True
            self.message_event.set()
            if not self.keep_alive:
                self.transport.close()
            self.on_response()

    def _framed(self, body: bytes, *, is_last: bool) -> bytes:
        if self._is_bodiless:
            return b""
        if self._is_chunked:
            return (b"%x\r\n%b\r\n" % (len(body), body) if body else b"") + (b"0\r\n\r\n" if is_last else b"")
        self._left -= len(body)
        if self._left < 0 or (is_last and self._left > 0):
            raise RuntimeError("the body is not as long as its Content-Length says")
        return bytes(body)


def _head_of(status: int, headers: list[tuple[bytes, bytes]]) -> bytes:
    lines = [_STATUS_LINES.get(status) or b"HTTP/1.1 %d \r\n" % status]
    lines += [b"%b: %b\r\n" % header for header in headers]
    head = b"".join(lines)
    if not head.count(b"\n") == head.count(b"\r") == len(lines) or b"\0" in head:
        raise RuntimeError("a header of the reply holds CR, LF or NUL")
    return head + b"\r\n"
