"""uvicorn around the application: one listening socket, one or more worker processes."""

import errno
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import uvicorn
from uvicorn.supervisors import Multiprocess

from api.logs import log_config
from api.protocol import ProblemProtocol
from api.settings import FIGURES_FOLDER, Settings
from recsys.errors import ConfigError

HEADER_BYTES = 16 * 1024
"""The request line and all headers together; h11 refuses what is longer."""

KEEP_ALIVE_SECONDS = 65
"""Longer than the 60 s after which common load balancers drop an idle connection, so that they hang up first."""

DRAIN_SECONDS = 20
"""After SIGTERM, requests under way have so long to finish."""

# Read by the libraries that search, which are not imported yet. One query is too small to be shared out: threads that
# wait for each other cost more than they bring, many times more on a busy machine. Workers use the other cores.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

logger = logging.getLogger(__name__)


def serve(settings: Settings, *, host: str, port: int, workers: int = 1) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way and return.

    Every worker is a process that loads the model for itself (its arrays are mapped, not copied). Workers are
    spawned: a forked child hangs in the index's threads. Raises ConfigError where the store's folder does not exist
    or the address cannot be listened on.
    """
    if not settings.store.is_dir():
        raise ConfigError(
            f"{settings.store}: no such folder; expected the store that `recsys run` publishes to: "
            "run `recsys run` first, or create the folder and the service waits for the first version"
        )
    with listening_socket(host, port) as listener:
        os.environ.update(settings.to_environment())  # create_app reads it, in this process or in a spawned one
        for name in _THREADS:
            os.environ.setdefault(name, "1")
        config = uvicorn.Config("api.app:create_app", **_options(settings, host=host, port=port, workers=workers))
        signal.signal(signal.SIGTERM, _leave)  # uvicorn drains and then raises the signal again, for us
        logger.info("listening on http://%s:%d", host, listener.getsockname()[1])
        if workers == 1:
            uvicorn.Server(config).run(sockets=[listener])
        else:
            with _shared_figures():
                Multiprocess(config, sockets=[listener]).run()


@contextmanager
def _shared_figures() -> Iterator[None]:
    """A folder where workers add up their figures for /metrics, unless the environment names one."""
    with TemporaryDirectory(prefix="recsys-metrics-") as folder:
        os.environ.setdefault(FIGURES_FOLDER, folder)
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """A TCP socket that listens, for IPv4 or IPv6 as `host` has it. Raises ConfigError saying what is in the way."""
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        family, _, _, _, address = min(found, key=lambda it: it[0] != socket.AF_INET)
        return socket.create_server(address[:2], family=family, backlog=2048)
    except OSError as error:
        in_use = "; something else listens there: stop it, or choose another port"
        hint = in_use if error.errno == errno.EADDRINUSE else ""
        raise ConfigError(f"cannot listen on {host} port {port}: {error.strerror}{hint}") from error
    except UnicodeError as error:
        raise ConfigError(f"cannot listen on {host!r}: expected a name or an address") from error


def _options(settings: Settings, *, host: str, port: int, workers: int) -> dict[str, Any]:
    return {
        "factory": True,
        "host": host,
        "port": port,
        "workers": workers,
        "http": ProblemProtocol,  # h11: the one parser whose header size can be bounded
        "h11_max_incomplete_event_size": HEADER_BYTES,
        "ws": "none",
        "lifespan": "on",
        "root_path": settings.root_path,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
        "server_header": False,
        "access_log": False,
        "log_config": log_config(settings.log_level, log_format=settings.log_format),
    }


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)
