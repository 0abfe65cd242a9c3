"""Accumulators: what pyspark's server of them says when the connection to Java breaks.

It works in a thread of its own, and prints the traceback of whatever ends it. A Java that has ended is told by what
the job raises.
"""

import socketserver
import struct
import sys
from typing import Any

_BROKEN = (EOFError, ConnectionError, struct.error)
"""The last of a number that was cut short."""


def quiet_when_java_ends() -> None:
    """Let the servers of this process print nothing when Java has closed the connection; other errors as before."""
    from pyspark import accumulators

    kinds: list[Any] = [kind for kind in vars(accumulators).values() if isinstance(kind, type)]
    for server in (kind for kind in kinds if issubclass(kind, socketserver.BaseServer)):
        server.handle_error = _handle_error


def _handle_error(server: socketserver.BaseServer, request: Any, client_address: Any) -> None:
    """What `socketserver` calls, in the thread of the server, for an error of a request."""
    if not isinstance(sys.exception(), _BROKEN):
        socketserver.BaseServer.handle_error(server, request, client_address)
