"""ForgottenWatch: who was forgotten, known to every worker within a fraction of a second."""

import asyncio
import logging
from collections.abc import Callable

from api.stores.bounded_calls import BoundedCalls
from recsys.artifacts.manifest import Manifest, log_read_at
from recsys.errors import RecsysError
from recsys.forgotten import Forgotten, Tombstones

POLL_SECONDS = 0.2
"""Time between two looks at the tombstones."""

LOOK_SECONDS = 5.0
"""Time that one look may take."""

logger = logging.getLogger(__name__)


class ForgottenWatch:
    """Follows the `tombstones` of a store.

    A fault leaves what was read before; it is logged once, and shown in `fault`.

    `on_change`: called in a thread after tombstones were added.
    """

    def __init__(self, tombstones: Tombstones, *, on_change: Callable[[], None] = lambda: None) -> None:
        self.fault: str | None = None
        """Why the tombstones are not known as of now; None if they are. It names no path, because clients see it."""
        self._tombstones = tombstones
        self._on_change = on_change
        self._calls = BoundedCalls(LOOK_SECONDS)

    @property
    def now(self) -> Forgotten:
        """Who was forgotten as of the last look."""
        return self._tombstones.now

    async def run(self) -> None:
        """Look for ever, in a thread."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Look once; a hanging disk is given up."""
        before = self._tombstones.now
        try:
            self._calls.make(self._tombstones.look, "looking at the tombstones")
            self.fault = None
        except RecsysError as error:
            if self.fault is None:
                logger.error("who was forgotten lately is not known: %s", error)
            self.fault = "who was forgotten lately is not known; the service's log says why"
        if self._tombstones.now is not before:
            self._on_change()

    def is_forgotten_by(self, manifest: Manifest) -> Callable[[str], bool]:
        """Whether what a version holds of a user counts no more, asked anew each time."""
        made_at = log_read_at(manifest)
        return lambda user_id: self._tombstones.now.of_version(made_at, user_id)
