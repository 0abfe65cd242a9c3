"""A strict reading of requests: what two parsers could read in two ways is refused."""

import h11

HEADER_BYTES = 16 * 1024
"""The request line and all headers together."""

MAX_HEADERS = 100
"""Headers of one request."""

_HEAD_END = b"\r\n\r\n"


class StrictConnection(h11.Connection):
    """h11's connection of a server, which also refuses what RFC 9112 allows a server to refuse.

    A head that is too long or has too many headers, however it arrives (h11 bounds only one that is not whole yet);
    lines that end in a lone CR or LF; folded headers; Transfer-Encoding with Content-Length, or in HTTP/1.0; versions
    other than 1.1 and 1.0. Proxies and servers that read these in different ways can be made to disagree where a
    request ends.
    """

    def __init__(self) -> None:
        super().__init__(h11.SERVER, HEADER_BYTES)

    def next_event(self) -> h11.Event | type[h11.NEED_DATA] | type[h11.PAUSED]:
        """As h11's. Raises h11.RemoteProtocolError."""
        if self.their_state is h11.IDLE:
            check_head(self.trailing_data[0])
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check_framing(event)
        return event


def check_head(received: bytes) -> None:
    """Raise h11.RemoteProtocolError if the head at the start of `received`, whole or not, is not acceptable."""
    end = received.find(_HEAD_END, 0, HEADER_BYTES + len(_HEAD_END))
    if end < 0 and len(received) > HEADER_BYTES:
        raise h11.RemoteProtocolError("the head is too long", error_status_hint=431)
    head = received.removesuffix(b"\r") if end < 0 else received[:end]
    n_lines = head.count(b"\r\n")
    if n_lines > MAX_HEADERS:
        raise h11.RemoteProtocolError("too many headers", error_status_hint=431)
    if head.count(b"\n") != n_lines or head.count(b"\r") != n_lines:
        raise h11.RemoteProtocolError("a line ends in CR or LF alone")
    if b"\r\n " in head or b"\r\n\t" in head:
        raise h11.RemoteProtocolError("a header is folded")


def _check_framing(request: h11.Request) -> None:
    if request.http_version not in (b"1.0", b"1.1"):
        raise h11.RemoteProtocolError("neither HTTP/1.1 nor HTTP/1.0")
    names = [name for name, _ in request.headers]
    if b"transfer-encoding" not in names:
        return
    if b"content-length" in names:
        raise h11.RemoteProtocolError("Transfer-Encoding and Content-Length")
    if request.http_version < b"1.1":
        raise h11.RemoteProtocolError("Transfer-Encoding in HTTP/1.0")
