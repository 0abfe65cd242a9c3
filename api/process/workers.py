"""Worker processes that are back quickly: forked from a process that has imported everything and started nothing."""

import logging
import multiprocessing
import os
import signal
from collections.abc import Callable
from contextlib import suppress
from socket import socket
from threading import Thread

from uvicorn import Config
from uvicorn.config import STARTUP_FAILURE
from uvicorn.supervisors import Multiprocess
from uvicorn.supervisors.multiprocess import Process

PRELOADED = ("api.app",)
"""What the process that is forked has imported. It has no threads, and no index has been searched in it."""

logger = logging.getLogger("uvicorn.error")

_forkserver = multiprocessing.get_context("forkserver")


class Worker(Process):
    """uvicorn's worker, forked instead of started anew."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        arguments = {"config": config, "target": self.target, "sockets": sockets}
        self.process = _forkserver.Process(target=_serve, kwargs=arguments)  # type: ignore[assignment]


def _serve(config: Config, target: Callable[..., None], sockets: list[socket]) -> None:
    """What a worker process does: its log, then the server, until the supervisor ends it."""
    config.configure_logging()
    Thread(target=_end_with_supervisor, daemon=True, name="end with supervisor").start()
    with suppress(KeyboardInterrupt):  # Ctrl-C reaches the supervisor too, which says what there is to say
        target(sockets=sockets)


def _end_with_supervisor() -> None:
    """End as on SIGTERM once the supervisor is dead: nobody would replace this worker, nor tell it to end."""
    supervisor = multiprocessing.parent_process()
    if supervisor is not None:
        supervisor.join()
        logger.error("the supervisor is dead; worker process %s finishes its requests and ends", os.getpid())
        os.kill(os.getpid(), signal.SIGTERM)


class Supervisor(Multiprocess):
    """uvicorn's supervisor, with `Worker` processes."""

    def __init__(self, config: Config, sockets: list[socket]) -> None:
        super().__init__(config, sockets)
        _forkserver.set_forkserver_preload([*PRELOADED])

    def init_processes(self) -> None:
        """Start the workers."""
        self.processes = [self._started() for _ in range(self.processes_num)]

    def keep_subprocess_alive(self) -> None:
        """Replace workers that are dead at once, then those that do not answer."""
        for only_dead in (True, False):
            for at, worker in enumerate(self.processes):
                if self.should_exit.is_set():
                    return
                if only_dead and worker.process.is_alive():
                    continue
                if not worker.is_alive(timeout=self.config.timeout_worker_healthcheck):
                    self._replace(at)

    def _replace(self, at: int) -> None:
        worker = self.processes[at]
        worker.kill()
        worker.join()
        if worker.exitcode == STARTUP_FAILURE:  # it would fail the same way each time
            logger.error("worker process %s failed to start; the service ends", worker.pid)
            self.should_exit.set()
            return
        logger.error("worker process %s ended with %s; another one starts", worker.pid, worker.exitcode)
        self.processes[at] = self._started()

    def _started(self) -> Worker:
        worker = Worker(self.config, self.sockets)
        worker.start()
        return worker
