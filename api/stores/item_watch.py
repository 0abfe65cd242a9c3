"""ItemWatch: gives the engine that serves what was told of items since its catalogue, here or in another process."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from threading import Lock
from weakref import WeakSet

from api.engines.served_engine import ServedEngine
from api.errors import PostedStoreError
from recsys.data.items import TITLE
from recsys.engine import ItemUpdate, PostedItem
from recsys.errors import EventStoreError, RecsysError
from recsys.event_store.item_changes import ItemChange, ItemChanges

POLL_SECONDS = 0.25
"""Time between two looks, so that every worker knows of a change within a second."""

logger = logging.getLogger(__name__)


class ItemWatch:
    """Reads `changes` when there are new ones. A fault leaves what was read before; it is logged once.

    `take_over`: called before the first look.
    """

    def __init__(self, changes: ItemChanges, *, take_over: Callable[[], None] = lambda: None) -> None:
        self._changes = changes
        self._take_over = take_over
        self._has_taken_over = False
        self._lock = Lock()
        self._by_item: dict[str, ItemChange] = {}
        self._n = self._n_lost = 0
        self._following: WeakSet[ServedEngine] = WeakSet()
        self._last_failure = ""

    async def run(self, engines_now: Callable[[], Sequence[ServedEngine]]) -> None:
        """Refresh for ever, in a thread."""
        while True:
            await asyncio.sleep(POLL_SECONDS)
            for engine in engines_now():
                await asyncio.to_thread(self.refresh, engine)

    def refresh(self, engine: ServedEngine) -> None:
        """Let `engine` answer with what is known now."""
        with self._lock:
            try:
                self._read()
                if engine.changes_seen != self._n or engine not in self._following:
                    self._give(engine)
                    self._following.add(engine)
                self._last_failure = ""
            except RecsysError as error:
                self._note(f"changes of items: {error}")
            except Exception as error:  # whatever is in the store, the next look is taken
                self._note(f"changes of items: cannot be read: {type(error).__name__}: {error}")

    def is_posted(self, item_id: str) -> bool:
        """Whether an item was posted and not taken back."""
        found = self._by_item.get(item_id)
        return found is not None and found.posted

    def post(self, item: PostedItem, engine: ServedEngine) -> None:
        """Keep `item`, and list it. Raises PostedFullError, PostedStoreError."""
        try:
            values = {TITLE: item.title, **item.attributes}
            self._changes.post(item.item_id, values, is_taken_over=engine.has_item)
        except EventStoreError as error:
            raise PostedStoreError(str(error)) from error
        self.refresh(engine)

    def update(self, values: Mapping[str, Mapping[str, object]], engine: ServedEngine) -> None:
        """Keep new values of items, and answer with them. Raises PostedStoreError."""
        try:
            self._changes.update(values, superseded_before=engine.catalogue_read_at)
        except EventStoreError as error:
            raise PostedStoreError(str(error)) from error
        self.refresh(engine)

    def remove(self, item_id: str, engine: ServedEngine) -> bool:
        """Forget a posted item, and list it no longer; whether it was there. Raises PostedStoreError."""
        try:
            was_there = self._changes.remove(item_id)
        except EventStoreError as error:
            raise PostedStoreError(str(error)) from error
        self.refresh(engine)
        return was_there

    def _read(self) -> None:
        if not self._has_taken_over:
            self._take_over()
            self._has_taken_over = True
        n = self._changes.n()
        if n < self._n or self._changes.n_lost != self._n_lost:  # another database perhaps, or an older state of it
            self._by_item, self._n = {}, 0
            self._n_lost = self._changes.n_lost
            self._following.clear()
        if n == self._n:
            return
        self._n, changed = self._changes.since(self._n)
        self._by_item |= {change.item_id: change for change in changed}

    def _give(self, engine: ServedEngine) -> None:
        anew = engine not in self._following and engine.changes_seen > 0
        seen = 0 if anew else engine.changes_seen
        newer = [change for change in self._by_item.values() if change.seq > seen]
        updates = [ItemUpdate(it.item_id, values) for it in newer if (values := it.since(engine.catalogue_read_at))]
        posted = None
        if anew or any(change.posted or change.removed for change in newer):
            posted = [_posted(change) for change in self._by_item.values() if change.posted]
        engine.use_changes(updates, posted, n_changes=self._n, anew=anew)

    def _note(self, failure: str) -> None:
        if failure != self._last_failure:
            logger.error("%s", failure)
        self._last_failure = failure


def _posted(change: ItemChange) -> PostedItem:
    values = {name: told.value for name, told in change.told.items() if told.value is not None}
    title = values.pop(TITLE, None)
    return PostedItem(change.item_id, title if isinstance(title, str) else None, values)
