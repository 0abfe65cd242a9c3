"""Accumulators: a Java that has ended leaves no traceback of pyspark's server; what else fails there is printed."""

import socket
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from recsys.spark.accumulators import quiet_when_java_ends


def _one_update(tmp_path: Path, send: Callable[[socket.socket], Any]) -> None:
    """What Java does: connect, send, and go."""
    accumulators = pytest.importorskip("pyspark.accumulators")
    quiet_when_java_ends()
    at = str(tmp_path / "accumulators")
    with (
        accumulators.AccumulatorUnixServer(at, accumulators.UpdateRequestHandler) as server,
        socket.socket(socket.AF_UNIX) as java,
    ):
        java.connect(at)
        send(java)
        java.close()
        server.handle_request()


@pytest.mark.parametrize("sent", [b"", b"\0\0", struct.pack("!i", 1) + b"\0\0\0\7half"])
def test_a_java_that_has_ended_leaves_no_traceback(tmp_path: Path, capfd, sent: bytes) -> None:
    _one_update(tmp_path, lambda java: java.sendall(sent))
    assert capfd.readouterr().err == ""


def test_another_error_is_printed(tmp_path: Path, capfd) -> None:
    update = b"no pickle"
    _one_update(tmp_path, lambda java: java.sendall(struct.pack("!ii", 1, len(update)) + update))
    assert "UnpicklingError" in capfd.readouterr().err
