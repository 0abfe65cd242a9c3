"""Connections of one process: how many there may be, how long each may take, and which one goes first."""

import math
import os
import resource
from collections import Counter, OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from time import monotonic
from typing import Protocol

from api.admission.traffic import Traffic
from api.middleware import BODY_SECONDS

RESERVE = 64
"""Descriptors kept for files of versions, databases and the log."""

_WANTED_DESCRIPTORS = 65_536


class Stage(Enum):
    """What a connection waits for: a request, the rest of its headers or of its body, our reply, or its end."""

    IDLE = auto()
    HEAD = auto()
    BODY = auto()
    REPLY = auto()
    END = auto()


@dataclass(frozen=True)
class Limits:
    """What connections may take: numbers, and times in seconds.

    `head`: from the first byte of a request, or from the beginning of the connection, to the end of its headers.
    `body`: from there to the end of the body; longer than the time after which a route answers 408. `rest`: for
    what is still coming when a request has been answered. `idle`: between two requests, if uvicorn does not close the
    connection before. `read`: for a client to read what fills its buffers, or what is left when it closes.
    """

    most: int = 10_000
    most_of_address: int = 5_000
    head: float = 10.0
    body: float = BODY_SECONDS + 2
    rest: float = 1.0
    idle: float = 70.0
    read: float = 20.0

    @classmethod
    def of_process(cls, most_of_address: int | None = None) -> "Limits":
        """As many connections as this process may have descriptors, less those it uses and `RESERVE`.

        `most_of_address`: by default half of them.
        """
        allowed, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
        used = len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else RESERVE  # noqa: PTH112, PTH208
        most = max(16, allowed - used - RESERVE)
        return cls(most=most, most_of_address=most_of_address or max(8, most // 2))


def raise_descriptors() -> None:
    """Let this process, and those it starts, have as many descriptors as the system allows, up to 65,536."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, _WANTED_DESCRIPTORS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


class Client(Protocol):
    """One connection. `deadline`: of what it waits for; `unread_since`: when our buffer for it filled, else None."""

    address: str
    stage: Stage
    deadline: float
    unread_since: float | None
    closing_since: float | None

    @property
    def is_closing(self) -> bool:
        """Whether it is being closed; what was written may not be read yet."""

    def close(self) -> None:
        """Close it once what was written has been sent."""

    def abort(self) -> None:
        """Close it now."""


class Connections:
    """The connections of one process."""

    def __init__(self, limits: Limits, traffic: Traffic) -> None:
        self.limits = limits
        self._traffic = traffic
        self._all: set[Client] = set()
        self._of_address = Counter[str]()
        # Those without a whole request, by how long they have had none; those without a whole body.
        self._waiting, self._sending = OrderedDict[Client, None](), OrderedDict[Client, None]()

    def __len__(self) -> int:
        return len(self._all)

    def open(self, client: Client) -> bool:
        """Take a new connection; one that waits is closed for it if there are too many.

        Returns False if all others have a request under way: the new one is to be refused.
        """
        has_room = self._make_room(client.address)
        self._all.add(client)
        self._of_address[client.address] += 1
        self._waiting[client] = None
        self.move(client, Stage.HEAD)
        return has_room

    def _make_room(self, address: str) -> bool:
        if self._of_address[address] >= self.limits.most_of_address:
            return self._displace(address)
        return len(self._all) < self.limits.most or self._displace(None)

    def _displace(self, address: str | None) -> bool:
        for group in (self._waiting, self._sending):
            for client in group:
                if address in (None, client.address) and not client.is_closing:
                    del group[client]
                    self._traffic.tally_closing("displaced")
                    client.abort()
                    return True
        return False

    def lose(self, client: Client) -> None:
        """A connection has ended."""
        self._all.discard(client)
        self._waiting.pop(client, None)
        self._sending.pop(client, None)
        self._of_address[client.address] -= 1
        if not self._of_address[client.address]:
            del self._of_address[client.address]

    def move(self, client: Client, stage: Stage) -> None:
        """A connection begins to wait for something else; its deadline begins."""
        client.stage, client.deadline = stage, math.inf
        if stage is Stage.HEAD:  # its place stays: bytes that drip make no connection younger
            client.deadline = monotonic() + self.limits.head
            return
        self._waiting.pop(client, None)
        self._sending.pop(client, None)
        if stage is Stage.IDLE:
            client.deadline = monotonic() + self.limits.idle
            self._waiting[client] = None
        elif stage is Stage.END:
            client.deadline = monotonic() + self.limits.rest
            self._waiting[client] = None
        elif stage is Stage.BODY:
            client.deadline = monotonic() + self.limits.body
            self._sending[client] = None

    def sweep(self) -> None:
        """Close connections that have not sent or read in time. Call it at least once a second."""
        now = monotonic()
        for client in [*self._all]:
            if client.is_closing:
                self._sweep_closing(client, now)
            elif client.unread_since is not None and now - client.unread_since > self.limits.read:
                self._traffic.tally_closing("slow_reader")
                client.abort()
            elif now > client.deadline and client.stage in (Stage.IDLE, Stage.END):
                client.abort()
            elif now > client.deadline:
                self._traffic.tally_closing("slow_body" if client.stage is Stage.BODY else "slow_headers")
                client.close()

    def _sweep_closing(self, client: Client, now: float) -> None:
        """What is left for a client that does not read it is dropped in the end."""
        if client.closing_since is None:
            client.closing_since = now
        elif now - client.closing_since > self.limits.read:
            self._traffic.tally_closing("slow_reader")
            client.abort()
