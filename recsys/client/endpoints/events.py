"""Events: what users and visitors do."""
# mypy: disable-error-code="empty-body"

from collections.abc import Mapping, Sequence
from typing import Any

from recsys.client.endpoint import endpoint
from recsys.client.questions import PostedEvent
from recsys.client.replies import EventPage, EventsTaken, MergedSession


def _all_have_ids(given: Mapping[str, Any]) -> bool:
    """An event without `event_id` that is sent twice counts twice."""
    return all(event.event_id is not None for event in given["events"])


class EventEndpoints:
    """Events: what users and visitors do."""

    @endpoint("POST", "/v1/events", repeatable=_all_have_ids)
    def post_events(self, events: Sequence[PostedEvent]) -> EventsTaken:
        """Keep what happened, 1 to 1,000 events. They are durable when this returns.

        It is tried again only if every event has an `event_id`: sent again, such an event counts once.
        """

    @endpoint("GET", "/v1/events", for_operator=True)
    def get_events(
        self,
        *,
        user_id: str | None = None,
        session_id: str | None = None,
        limit: int | None = None,
        before: int | None = None,
    ) -> EventPage:
        """The kept events of a user or of a session, the latest first. Needs the API key."""

    @endpoint("POST", "/v1/users/{user_id}:merge", repeatable=True)
    def merge_session(self, user_id: str, session_id: str) -> MergedSession:
        """A visitor has logged in: all events of the session are this user's from now on."""
