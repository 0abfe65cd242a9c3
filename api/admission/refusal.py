"""The refusal of an overloaded process, made before a request is parsed: bytes in, bytes out."""

import itertools
import os
import re

from api.errors import OverloadedError, problem_response

_ID = "0" * 32
_METHODS = ("GET", "HEAD", "POST")
_ANOTHER_GATE = (b"/events", b":update", b":merge")
_P, _H = b"PH"
_SMALL_BODY = 2_000
_MOST_REMEMBERED = 1_000
_HEAD_END = b"\r\n\r\n"
_LENGTH = re.compile(rb"\r\ncontent-length: *(\d{1,6})\r\n")
_UNUSUAL = tuple(b"\r\n" + it for it in (b"transfer-encoding", b"expect", b"upgrade", b"x-request-id", b" ", b"\t"))


def _template() -> tuple[bytes, bytes]:
    """Head and body of the reply, with `%b` in place of the request's id."""
    reply = problem_response(OverloadedError(), request_id=_ID)
    headers = b"".join(b"%b: %b\r\n" % header for header in reply.raw_headers)
    head = b"HTTP/1.1 503 Service Unavailable\r\n" + headers + b"x-request-id: " + _ID.encode() + _HEAD_END
    parts = (part.replace(b"%", b"%%").replace(_ID.encode(), b"%b") for part in (head, bytes(reply.body)))
    return next(parts), next(parts)


class Refuser:
    """Refuses requests that are whole and plain. All others take the ordinary way, which has the same reply."""

    def __init__(self, root_path: str = "") -> None:
        self._head, self._body = _template()
        roots = dict.fromkeys(("", root_path))  # a proxy may cut the path off, or not
        self._prefixes = tuple(f"{method} {root}/v1/".encode() for method in _METHODS for root in roots)
        self._plain = set[bytes]()
        self._ids = itertools.count(int.from_bytes(os.urandom(8), "big") << 64)

    def covers(self, data: bytes) -> bool:
        """Whether `data` begins a request that is admitted as lists are."""
        return data.startswith(self._prefixes)

    def refusal(self, data: bytes) -> tuple[bytes, bool] | None:
        """The reply to the request `data`, and whether the connection goes on; None if it needs a closer look.

        `data`: all that came on a connection that waited for a request, and is covered.
        """
        line, _, headers = data.partition(b"\r\n")
        if headers in self._plain and line.endswith(b" HTTP/1.1") and b"\n" not in line and line[0] != _P:
            return self._reply(is_head=line[0] == _H), True  # clients send the same headers again and again
        head = data[: data.find(_HEAD_END) + len(_HEAD_END)].lower()
        if len(data) != len(head) + _body_bytes(head) or any(name in head for name in _UNUSUAL):
            return None
        if head.count(b"\n") != head.count(b"\r\n"):
            return None
        goes_on = b" http/1.1\r\n" in head and b"\r\nconnection: close" not in head
        if goes_on and not head.startswith(b"post"):
            self._remember(headers)
        return self._reply(is_head=head.startswith(b"head")), goes_on

    def _remember(self, headers: bytes) -> None:
        if len(self._plain) >= _MOST_REMEMBERED:
            self._plain.clear()
        self._plain.add(headers)

    def _reply(self, *, is_head: bool) -> bytes:
        request_id = b"%032x" % next(self._ids)
        return self._head % request_id if is_head else (self._head + self._body) % (request_id, request_id)


def _body_bytes(head: bytes) -> int:
    """Bytes of the body that `head`, in lower case, announces; -1 if that needs a closer look."""
    if not head.startswith(b"post"):
        return -1 if b"\r\ncontent-length" in head else 0
    target, announced = head.split(b" ", 2)[1].partition(b"?")[0], _LENGTH.findall(head)
    if target.endswith(_ANOTHER_GATE) or len(announced) != 1 or head.count(b"\r\ncontent-length") != 1:
        return -1
    return int(announced[0]) if int(announced[0]) <= _SMALL_BODY else -1
