"""Pictures by https, from public addresses alone."""

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from urllib.parse import SplitResult, urljoin, urlsplit

from recsys.content.picture import PictureError

_REDIRECTS = (301, 302, 303, 307, 308)
_MOST_REDIRECTS = 3
_BYTES_AT_ONCE = 65_536
_REFUSED, _FAILED = "a URL that is refused", "a URL that cannot be fetched"


def is_public(address: str) -> bool:
    """Whether an IP address belongs to the internet, not to this machine, its network or its cloud."""
    ip = ipaddress.ip_address(address.partition("%")[0])
    mapped = getattr(ip, "ipv4_mapped", None)
    return (mapped or ip).is_global and not (mapped or ip).is_multicast


@dataclass(frozen=True)
class Downloads:
    """Fetches pictures. `seconds`: for one picture, redirects included. `most_bytes`: of one picture.

    `may_connect`: which IP addresses; the one that was checked is the one that is connected to, so that a name that
    changes its address between the two is no way in. Proxies and credentials are not used.
    """

    seconds: float
    most_bytes: int
    may_connect: Callable[[str], bool] = is_public
    context: ssl.SSLContext = field(default_factory=ssl.create_default_context)

    def fetch(self, url: str) -> bytes:
        """The bytes behind `url`, over at most three redirects, each checked as the first. Raises PictureError."""
        deadline = time.monotonic() + self.seconds
        for _ in range(_MOST_REDIRECTS + 1):
            try:
                found = self._once(url, deadline)
            except (OSError, http.client.HTTPException, ValueError) as error:  # ssl's and time-outs are OSErrors
                raise PictureError(_FAILED, f"{url}: {str(error) or type(error).__name__}") from error
            if isinstance(found, bytes):
                return found
            url = found
        raise PictureError(_FAILED, f"{url}: more than {_MOST_REDIRECTS} redirects")

    def _once(self, url: str, deadline: float) -> bytes | str:
        """The bytes, or where a redirect leads to."""
        parts = _checked(url)
        connection = _Connection(self, parts, deadline)
        watch = threading.Timer(_left(deadline), connection.cut)  # a server may send a byte before each time-out
        watch.daemon = True
        watch.start()
        try:
            target = f"{parts.path or '/'}{'?' + parts.query if parts.query else ''}"
            connection.request("GET", target, headers={"Accept": "image/*", "User-Agent": "recsys"})
            with connection.getresponse() as answer:
                if answer.status in _REDIRECTS and (where := answer.getheader("Location")):
                    return urljoin(url, where)
                if answer.status != 200:
                    raise PictureError(_FAILED, f"{url}: status {answer.status}")
                return self._body(answer, url, deadline)
        finally:
            watch.cancel()
            connection.close()

    def _body(self, answer: http.client.HTTPResponse, url: str, deadline: float) -> bytes:
        parts, n_bytes = [], 0
        while part := answer.read1(_BYTES_AT_ONCE):
            parts.append(part)
            n_bytes += len(part)
            if n_bytes > self.most_bytes:
                raise PictureError("a file that is too large", f"{url}: more than {self.most_bytes:,} bytes")
        _left(deadline)
        return b"".join(parts)


class _Connection(http.client.HTTPSConnection):
    """Connects to an address that was checked."""

    def __init__(self, downloads: Downloads, parts: SplitResult, deadline: float) -> None:
        super().__init__(parts.hostname or "", parts.port or 443, context=downloads.context)
        self._downloads, self._deadline = downloads, deadline
        self._opened: ssl.SSLSocket | None = None  # `sock` is forgotten as soon as the answer's headers are read

    def connect(self) -> None:
        """Look the name up, refuse addresses that are not allowed, connect and greet."""
        address = self._address()
        plain = socket.create_connection((address, self.port), timeout=_left(self._deadline))
        context = self._downloads.context
        self._opened = context.wrap_socket(plain, server_hostname=self.host, do_handshake_on_connect=False)
        self.sock = self._opened
        self._opened.do_handshake()

    def cut(self) -> None:
        """End every read. Called from another thread at the deadline."""
        with contextlib.suppress(OSError):
            if self._opened is not None:
                self._opened.shutdown(socket.SHUT_RDWR)

    def _address(self) -> str:
        found = socket.getaddrinfo(self.host, self.port, type=socket.SOCK_STREAM)
        addresses = [str(each[4][0]) for each in found]
        if not addresses or not all(map(self._downloads.may_connect, addresses)):
            raise PictureError(_REFUSED, f"{self.host}: {', '.join(addresses)} is not a public address")
        return addresses[0]


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError("timed out")
    return left


def _checked(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        port_is_valid = parts.port is None or parts.port > 0
    except ValueError as error:
        raise PictureError(_REFUSED, f"{url[:200]}: {error}") from error
    plain = url.isascii() and url.isprintable() and " " not in url
    if parts.scheme != "https" or not parts.hostname or parts.username is not None or not port_is_valid or not plain:
        raise PictureError(_REFUSED, f"{url[:200]}: expected https://host/path in ASCII, without a user's name")
    return parts
