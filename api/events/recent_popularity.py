"""RecentPopularity: how many people did something with each item lately, counted by the event store."""

import logging
import time
from collections.abc import Collection, Mapping
from types import MappingProxyType

from api.events.store_calls import StoreCalls
from recsys.errors import EventStoreError
from recsys.event_store.events import Events

SINCE_SECONDS = 7 * 86_400
"""How far back is counted, of the latest events."""

MOST_EVENTS, MOST_ITEMS = 200_000, 500
"""The latest events that are counted, and the items that are told."""

COUNTED_EVERY_SECONDS = 60.0
"""A count is used this long."""

logger = logging.getLogger(__name__)


class RecentPopularity:
    """Counts when it is asked, at most once a minute; while the store cannot be read, the last count is used."""

    def __init__(self, events: Events, calls: StoreCalls, *, seconds: float = COUNTED_EVERY_SECONDS) -> None:
        self._events, self._calls, self._seconds = events, calls, seconds
        self._people: Mapping[str, int] = MappingProxyType({})
        self._until = 0.0

    async def people(self, ignored: Collection[str]) -> Mapping[str, int]:
        """People by item, most first; `ignored`: kinds of event that do not count."""
        if (now := time.monotonic()) < self._until:
            return self._people
        self._until = now + self._seconds  # others who ask meanwhile get the last count
        try:
            counted = await self._calls.make(
                self._events.people_by_item,
                since=time.time() - SINCE_SECONDS,
                ignored=tuple(ignored),
                most_events=MOST_EVENTS,
                most_items=MOST_ITEMS,
            )
        except EventStoreError as error:
            logger.warning("what is popular lately is not counted anew: %s", error)
        else:
            self._people = MappingProxyType(counted)
        return self._people
