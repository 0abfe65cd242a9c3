"""What the connections of one process share: their caps and deadlines, admission, refusals; and its clock."""

import asyncio
import contextlib
import itertools
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from api.admission.admission import Admission
from api.admission.pacing import Pacing
from api.admission.refusal import Refuser
from api.admission.traffic import Traffic
from api.process.connections import Connections

_TICK_SECONDS = 0.1
_TICKS_PER_SWEEP = 3
_TICKS_PER_REPORT = 10

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class TrafficControl:
    """One per process; protocols find it in the state that the lifespan of the application gives."""

    traffic: Traffic
    admission: Admission
    connections: Connections
    refuser: Refuser
    pacing: Pacing = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "pacing", Pacing(self.admission))

    @property
    def is_overloaded(self) -> bool:
        """Whether no list is let in."""
        return self.admission.lists.is_full

    def as_state(self) -> dict[str, Any]:
        """What the lifespan yields."""
        return {"traffic_control": self}

    @staticmethod
    def of(state: Mapping[str, Any]) -> "TrafficControl":
        """The one that the lifespan yielded."""
        control: TrafficControl = state["traffic_control"]
        return control

    @contextlib.asynccontextmanager
    async def watching(self) -> AsyncIterator[None]:
        """Keep the clock until the end of the block."""
        watch = asyncio.create_task(self._watch())
        try:
            yield
        finally:
            watch.cancel()
            self.traffic.flush()

    async def _watch(self) -> None:
        loop, n_refused = asyncio.get_running_loop(), 0
        for tick in itertools.count(1):
            due = loop.time() + _TICK_SECONDS
            await asyncio.sleep(_TICK_SECONDS)
            self.traffic.observe(
                lag=loop.time() - due, n_connections=len(self.connections), limit=self.admission.limit
            )
            n_refused += self.traffic.flush()
            if tick % _TICKS_PER_SWEEP == 0:
                self.connections.sweep()
            if n_refused and tick % _TICKS_PER_REPORT == 0:
                logger.warning(
                    "overloaded: refused=%d in a second, admitted at once=%.0f lists", n_refused, self.admission.limit
                )
                n_refused = 0
