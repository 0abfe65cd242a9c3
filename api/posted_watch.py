"""PostedWatch: gives the engine that serves the items that were posted, in this process or in another."""

import asyncio
import logging
from collections.abc import Callable
from threading import Lock

from api.posted_store import PostedStore
from api.served_engine import ServedEngine
from recsys.engine import PostedItem
from recsys.errors import RecsysError

POLL_SECONDS = 0.25
"""Time between two looks at the file, so that an item is listed by every worker within a second."""

logger = logging.getLogger(__name__)


class PostedWatch:
    """Reads `store` when it has changed. A fault of the file leaves what was read before; it is logged once."""

    def __init__(self, store: PostedStore) -> None:
        self._store = store
        self._lock = Lock()
        self._items: tuple[PostedItem, ...] = ()
        self._n_changes = 0
        self._last_failure = ""

    async def run(self, engine_now: Callable[[], ServedEngine | None]) -> None:
        """Refresh for ever, in a thread."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            await asyncio.to_thread(self.refresh, engine_now())

    def refresh(self, engine: ServedEngine | None) -> None:
        """Let `engine` list what is posted now."""
        with self._lock:
            try:
                if (n_changes := self._store.n_changes()) != self._n_changes:
                    self._items, self._n_changes = self._store.read(), n_changes
                if engine is not None and engine.posted_changes != self._n_changes:
                    engine.use_posted(self._items, self._n_changes)
                self._last_failure = ""
            except (RecsysError, ValueError) as error:
                self._note(f"posted items: {error}")

    def put(self, item: PostedItem, engine: ServedEngine) -> None:
        """Keep `item`, and list it. Raises PostedFullError, PostedStoreError."""
        self._store.put(item, is_taken_over=engine.has_item)
        self.refresh(engine)

    def delete(self, item_id: str, engine: ServedEngine) -> bool:
        """Forget an item, and list it no longer; whether it was there. Raises PostedStoreError."""
        was_there = self._store.delete(item_id)
        self.refresh(engine)
        return was_there

    def _note(self, failure: str) -> None:
        if failure != self._last_failure:
            logger.error("%s", failure)
        self._last_failure = failure
