"""uvicorn around the application: one listening socket, one or more worker processes."""

import errno
import logging
import os
import signal
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NoReturn

import uvicorn

from api.logs import log_config
from api.process.accepting import descriptors
from api.process.connections import raise_descriptors
from api.process.protocol import ServiceProtocol
from api.process.tls import tls_options
from api.process.workers import Supervisor
from api.settings import METRICS_FOLDER, Settings
from api.stores.replicas import is_remote, replica_of
from recsys.errors import ConfigError

KEEP_ALIVE_SECONDS = 65
"""Longer than the 60 s after which common load balancers drop an idle connection, so that they close it first."""

DRAIN_SECONDS = 18
"""Time that requests under way have to finish after SIGTERM."""

# Read by the libraries that search, which are not imported yet. One query is too small for several threads: waiting
# for each other costs them more than they save, many times more on a busy machine. Workers use the other cores.
_THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")

logger = logging.getLogger(__name__)


def serve(settings: Settings) -> None:
    """Serve until SIGTERM or SIGINT, then finish the requests under way and return.

    Every worker is a process that loads the model for itself (its arrays are mapped, not copied). Workers are
    spawned: a forked child hangs in the index's threads. Raises ConfigError if the store's folder does not exist, an
    address cannot be listened on, or a certificate cannot be used.
    """
    for name in settings.store.names:
        if is_remote(settings, name):
            replica_of(settings, name)
        else:
            check_folder(Path(settings.store.of(name) or ""))
    tls = tls_options(settings)
    raise_descriptors()
    with ExitStack() as stack:
        listener = stack.enter_context(listening_socket(settings.host, settings.port))
        sockets = descriptors(listener, settings.workers)
        if settings.operations_port is not None:
            host = settings.operations_host or settings.host
            operations = stack.enter_context(listening_socket(host, settings.operations_port))
            settings = settings.model_copy(update={"operations_port": operations.getsockname()[1]})
            sockets.append(operations)
        os.environ.update(settings.to_environment())  # create_app reads it, in this process or in a spawned one
        for name in _THREADS:
            os.environ.setdefault(name, "1")
        options = _uvicorn_options(settings) | tls | _loop_options(settings)
        config = uvicorn.Config("api.app:create_app", **options)
        signal.signal(signal.SIGTERM, _leave)  # uvicorn finishes requests and then raises the signal again
        scheme = "https" if tls else "http"
        logger.info("listening on %s://%s:%d", scheme, settings.host, listener.getsockname()[1])
        if settings.operations_port is not None:
            logger.info("metrics, docs and /admin on %s://%s:%d", scheme, host, settings.operations_port)
        _run(config, sockets)


def _run(config: uvicorn.Config, sockets: list[socket.socket]) -> None:
    if config.workers == 1:
        uvicorn.Server(config).run(sockets=sockets)
    else:
        with _shared_metrics():
            Supervisor(config, sockets=sockets).run()


def check_folder(store: Path) -> None:
    """Raise ConfigError if the store's folder does not exist."""
    if not store.is_dir():
        raise ConfigError(
            f"{store}: no such folder; expected the store that `recsys run` publishes to: "
            "run `recsys run` first, or create the folder and the service waits for the first version"
        )


@contextmanager
def _shared_metrics() -> Iterator[None]:
    """A folder in which workers share their metrics, unless the environment names one."""
    with TemporaryDirectory(prefix="recsys-metrics-") as folder:
        os.environ.setdefault(METRICS_FOLDER, folder)
        yield


def listening_socket(host: str, port: int) -> socket.socket:
    """A listening TCP socket, for IPv4 or IPv6 as `host` says. Raises ConfigError with the reason."""
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


def _uvicorn_options(settings: Settings) -> dict[str, Any]:
    return {
        "factory": True,
        "host": settings.host,
        "port": settings.port,
        "workers": settings.workers,
        "http": ServiceProtocol,
        "ws": "none",
        "lifespan": "on",
        "root_path": settings.root_path,
        "timeout_keep_alive": KEEP_ALIVE_SECONDS,
        "timeout_graceful_shutdown": DRAIN_SECONDS,
        "server_header": False,
        "access_log": False,
        "log_config": log_config(settings.log_level, log_format=settings.log_format),
    }


def _loop_options(settings: Settings) -> dict[str, Any]:
    return {"loop": "api.process.accepting:SharingLoop"} if settings.workers > 1 else {}


def _leave(*_: object) -> NoReturn:
    raise SystemExit(0)
