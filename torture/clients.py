"""Clients that do harm: connections half open in every way, floods of headers, requests that can be read twice."""

import socket

_GET = b"GET /v1/model HTTP/1.1\r\nHost: x\r\n"
_POST = b"POST /v1/rank HTTP/1.1\r\nHost: x\r\n"
_CHUNKS = b"\r\n\r\n0\r\n\r\n"
_SMUGGLED = b"GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n"

REFUSED = {
    "Content-Length and Transfer-Encoding": _POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked" + _CHUNKS,
    "Transfer-Encoding and Content-Length": _POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5" + _CHUNKS,
    "the shorter Content-Length smuggles": _POST
    + b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"
    + _SMUGGLED,
    "two lengths": _POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    "two lengths in one": _POST + b"Content-Length: 5, 6\r\n\r\nhello",
    "signed length": _POST + b"Content-Length: +5\r\n\r\nhello",
    "negative length": _POST + b"Content-Length: -5\r\n\r\nhello",
    "hexadecimal length": _POST + b"Content-Length: 0x5\r\n\r\nhello",
    "length with a space": _POST + b"Content-Length: 5 5\r\n\r\nhello",
    "endless length": _POST + b"Content-Length: " + b"9" * 40 + b"\r\n\r\nhello",
    "chunked twice": _POST + b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked" + _CHUNKS,
    "chunked, identity": _POST + b"Transfer-Encoding: chunked, identity" + _CHUNKS,
    "identity": _POST + b"Transfer-Encoding: identity\r\n\r\nhello",
    "gzip, chunked": _POST + b"Transfer-Encoding: gzip, chunked" + _CHUNKS,
    "xchunked": _POST + b"Transfer-Encoding: xchunked" + _CHUNKS,
    "chunked in quotes": _POST + b'Transfer-Encoding: "chunked"' + _CHUNKS,
    "vertical tab before chunked": _POST + b"Transfer-Encoding: \x0bchunked" + _CHUNKS,
    "chunked in HTTP/1.0": b"POST /v1/rank HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked" + _CHUNKS,
    "folded Transfer-Encoding": _POST + b"Transfer-Encoding:\r\n chunked" + _CHUNKS,
    "folded header": _GET + b"X: a\r\n\tb\r\n\r\n",
    "space before the colon": _POST + b"Transfer-Encoding : chunked" + _CHUNKS,
    "space before the first header": b"GET / HTTP/1.1\r\n Host: x\r\n\r\n",
    "empty name": _GET + b": x\r\n\r\n",
    "NUL in a name": _GET + b"X\0: y\r\n\r\n",
    "NUL in a value": _GET + b"X: a\0b\r\n\r\n",
    "LF alone": _GET.replace(b"\r\n", b"\n") + b"\n",
    "LF alone in a header": _GET + b"X: a\nTransfer-Encoding: chunked\r\n\r\n",
    "CR alone in a header": _GET + b"X: a\rTransfer-Encoding: chunked\r\n\r\n",
    "CR CR LF": _GET.replace(b"\r\n", b"\r\r\n") + b"\r\r\n",
    "no Host": b"GET / HTTP/1.1\r\n\r\n",
    "two Hosts": _GET + b"Host: y\r\n\r\n",
    "HTTP/0.9": b"GET /\r\n\r\n",
    "HTTP/2 preface": b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    "no method": b" / HTTP/1.1\r\nHost: x\r\n\r\n",
    "two spaces": b"GET  / HTTP/1.1\r\nHost: x\r\n\r\n",
    "unescaped path": b"GET /v1/items/Bj\xc3\xb6rk HTTP/1.1\r\nHost: x\r\n\r\n",
    "TLS": b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
    "bad chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\nhello\r\n0\r\n\r\n",
    "signed chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\n+5\r\nhello\r\n0\r\n\r\n",
    "endless chunk size": _POST + b"Transfer-Encoding: chunked\r\n\r\n" + b"f" * 40 + b"\r\nhello\r\n0\r\n\r\n",
    "no line end after a chunk": _POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
}
"""Requests that are answered with 400, once, and whose connection is closed."""

FLOODS = {
    "too many headers": _GET + b"X: y\r\n" * 200 + b"\r\n",
    "16,000 headers": _GET + b"X: y\r\n" * 16_000 + b"\r\n",
    "a long header": _GET + b"X: " + b"x" * 20_000 + b"\r\n\r\n",
    "a header of a megabyte": _GET + b"X: " + b"x" * 2**20 + b"\r\n\r\n",
    "a long path": b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
    "headers of no end": _GET + b"X: " + b"x" * 20_000,
    "a chunk size of no end": _POST + b"Transfer-Encoding: chunked\r\n\r\n5;" + b"x" * 20_000,
}
"""Requests that are too long; answered as those above."""

ACCEPTED = {
    "plain": _GET + b"\r\n",
    "with a body": _POST + b"Content-Length: 5\r\n\r\nhello",
    "equal lengths": _POST + b"Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello",
    "chunked": _POST + b"Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
    "chunk with an extension": _POST + b"Transfer-Encoding: chunked\r\n\r\n5;name=value\r\nhello\r\n0\r\n\r\n",
    "HTTP/1.0": b"GET / HTTP/1.0\r\n\r\n",
    "many headers": _GET + b"X: y\r\n" * 50 + b"\r\n",
}
"""Requests that are in order, among them some that come near to what is refused."""

HALF_OPEN = {
    "silent": b"",
    "half a request line": b"GET /v1/mo",
    "half the headers": _GET + b"X: ",
    "half a body": _POST + b"Content-Length: 100000\r\n\r\nhello",
    "half a chunk": _POST + b"Transfer-Encoding: chunked\r\n\r\nfffff\r\nhello",
    "half a body that nobody reads": b"POST /unread HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nhe",
    "half the second request": _GET + b"\r\n" + _GET,
}
"""Beginnings of requests that never end."""


def is_closed(connection: socket.socket, *, drip: bool) -> bool:
    """Whether the server has closed a connection that does not block for long; `drip`: send a byte before."""
    try:
        if drip:
            connection.send(b"1")
        while connection.recv(65_536):
            pass
    except (BlockingIOError, TimeoutError):
        return False
    except OSError:
        pass
    connection.close()
    return True
