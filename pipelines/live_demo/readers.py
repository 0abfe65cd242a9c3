"""A day in the shop: readers ask for their lists over HTTP, open what they like, and the service is told."""

from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from recsys.client import Client, PostedEvent
from recsys.client.replies import Recommendations
from recsys.data.synthetic import Choice, Choices
from recsys.data.synthetic.world import user_id
from recsys.progress import Progress

LIST_LENGTH = 10
_REPORTED_EVERY = 50


@dataclass(frozen=True)
class Day:
    """What happened on one day. `opened`: visits in which a book of the list was opened."""

    visits: int
    opened: int
    bought: int


@dataclass(frozen=True, eq=False)
class Readers:
    """The readers of a planted world as clients of the service."""

    choices: Choices
    client: Client
    rng: np.random.Generator = field(default_factory=lambda: np.random.default_rng(11))

    def day(self, *, starts: int, seconds: int, visits: int, progress: Progress) -> Day:
        """`visits` visits, one after the other.

        `starts`, `seconds`: the day in UTC seconds of the planted world, whose tastes drift. The events themselves
        happen when they are sent, because a day of the demo takes seconds.
        """
        times = starts + np.arange(visits) * seconds // visits
        users = self.choices.world.tastes.draw_users(times, self.rng)
        opened = bought = 0
        for number, (user, at) in enumerate(zip(users.tolist(), times.tolist(), strict=True), start=1):
            choice = self._visit(user, at)
            opened += bool(choice.opened)
            bought += len(choice.bought)
            if number % _REPORTED_EVERY == 0 or number == visits:
                progress("readers", number, visits)
        return Day(visits, opened, bought)

    def _visit(self, user: int, at: int) -> Choice:
        listed = self.client.get_recommendations(user_id(user), k=LIST_LENGTH)
        shown = np.array([int(item.item_id[1:]) for item in listed.items])  # an id is a letter and the position
        choice = self.choices.choose(user, shown, at, self.rng)
        if choice.opened:
            self.client.post_events(list(_events(user_id(user), listed, choice)))
        return choice


def _events(reader: str, listed: Recommendations, choice: Choice) -> Iterator[PostedEvent]:
    """One event per book that was opened, and one per book that was bought, each with the list that led to it."""
    for kind, places in (("view", choice.opened), ("purchase", choice.bought)):
        for place in places:
            item_id = listed.items[place - 1].item_id
            yield PostedEvent(
                item_id=item_id,
                user_id=reader,
                event=kind,
                recommendation_id=listed.recommendation_id,
                place=place,
            )
