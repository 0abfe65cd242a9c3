"""The service of the live demo, as another program, so that job and service share the published version alone."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from recsys.client import Client, ClientError
from recsys.errors import RecsysError

_STARTS_WITHIN = 60.0
_STOPS_WITHIN = 30.0
_LOOK_EVERY = 0.05


class ServiceError(RecsysError):
    """The service of the demo did not start, or ended."""


@contextmanager
def running_service(store: Path, *, port: int, events: str, log: Path) -> Iterator[Client]:
    """A client of the service on `store`, which ends with the block. Raises ServiceError with the end of its log.

    `events`: address of the event store. `log`: file for the service's messages.
    """
    command = [sys.executable, "-P", "-m", "api", "--store", str(store), "--port", str(port)]
    options = ["--poll-seconds", "0.2", "--log-level", "warning"]
    with log.open("wb") as out:
        process = subprocess.Popen(
            [*command, *options], stdout=out, stderr=out, env={**os.environ, "RECSYS_EVENTS": events}
        )
        try:
            with Client(f"http://127.0.0.1:{port}") as client:
                _wait_until_ready(client, process, log)
                yield client
        finally:
            _stop(process)


def wait_for_version(client: Client, version: str) -> None:
    """Return once `version` serves. Raises ServiceError if it does not within a minute."""
    deadline = time.monotonic() + _STARTS_WITHIN
    while client.get_model().model_version != version:
        if time.monotonic() > deadline:
            raise ServiceError(f"{version} was published, and the service does not serve it")
        time.sleep(_LOOK_EVERY)


def _wait_until_ready(client: Client, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + _STARTS_WITHIN
    while True:
        if process.poll() is not None or time.monotonic() > deadline:
            raise ServiceError(f"the service did not start: {log.read_text(errors='replace')[-2000:].strip()}")
        try:
            client.get_model()
        except ClientError:
            time.sleep(_LOOK_EVERY)
        else:
            return


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOPS_WITHIN)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
