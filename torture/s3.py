"""The S3 server of campaigns: moto's, in a process of its own, behind the tests' proxy that fails when told to."""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from unittest import mock

from tests.object_stores import Bucket, login, proxied

_SERVER = """
import logging, sys, time
from moto.server import ThreadedMotoServer
logging.getLogger("werkzeug").setLevel(logging.ERROR)
server = ThreadedMotoServer("127.0.0.1", 0, verbose=False)
server.start()
print(*server.get_host_and_port(), flush=True)
sys.stdin.read()
"""


@contextmanager
def failing_bucket() -> Iterator[tuple[Bucket, str]]:
    """A bucket, which the environment points to, and the address of the server behind it, which never fails."""
    command = [sys.executable, "-c", _SERVER]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout is not None
            behind = ":".join(server.stdout.readline().split())
            with proxied(behind) as bucket, mock.patch.dict(os.environ, login(bucket.endpoint)):
                bucket.slow_seconds = 0.6
                yield bucket, f"http://{behind}"
        finally:
            server.kill()
