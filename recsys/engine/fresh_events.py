"""FreshEvents: what users and visitors did lately, so that it counts in their next list."""

from collections import OrderedDict
from collections.abc import Iterable
from dataclasses import dataclass, field

from recsys.engine.event_rules import EventRules
from recsys.engine.question import Event
from recsys.event_store.events import KeptEvent, Merge

MAX_PER_PERSON = 500
"""The most events of one user or session that are kept in memory: the last ones."""

MAX_FRESH = 400_000
"""The most events in memory; beyond, those of who has done nothing for the longest time are dropped."""


@dataclass(frozen=True, slots=True)
class _Fresh:
    seq: int
    timestamp: float
    event: Event


_Kept = tuple[_Fresh, ...]


class FreshEvents:
    """Events by user and by session, bounded. One thread at a time may change it, any may read."""

    def __init__(self, *, most: int = MAX_FRESH, most_per_person: int = MAX_PER_PERSON) -> None:
        self._users = _People(most, most_per_person)
        self._sessions = _People(most, most_per_person)

    def __len__(self) -> int:
        return self._users.n_events + self._sessions.n_events

    def add(self, events: Iterable[KeptEvent], merges: Iterable[Merge], rules: EventRules) -> None:
        """Take in what came: `merges` first, then events, which have the user of their merged session.

        Events that the version of `rules` would not count are left out.
        """
        for merge in merges:
            self._users.put(merge.user_id, self._sessions.of(merge.session_id), keep_order=True)
            self._sessions.take(merge.session_id)
        for each in events:
            if not rules.counts(each.event, each.value):
                continue
            fresh = (_Fresh(each.seq, each.timestamp, _event_of(each)),)
            if each.user_id is not None:
                self._users.put(each.user_id, fresh)
            elif each.session_id is not None:
                self._sessions.put(each.session_id, fresh)

    def of(
        self, user_id: str | None, session_id: str | None, *, after: float, rules: EventRules
    ) -> tuple[Event, ...]:
        """The events of a user, of a session, or of both, from `after` on, UTC seconds, that `rules` count.

        In the order in which they were kept.
        """
        of_user = () if user_id is None else self._users.of(user_id)
        of_session = () if session_id is None else self._sessions.of(session_id)
        if not of_user and not of_session:
            return ()
        both = _in_order(of_user, of_session) if of_user and of_session else of_user or of_session
        return tuple(
            it.event for it in both if it.timestamp >= after and rules.counts(it.event.event, it.event.value)
        )

    def drop_before(self, timestamp: float) -> None:
        """Forget the events before `timestamp`, UTC seconds, which a version knows."""
        self._users.drop_before(timestamp)
        self._sessions.drop_before(timestamp)


@dataclass
class _People:
    most: int
    most_per_person: int
    n_events: int = 0
    _kept: OrderedDict[str, _Kept] = field(default_factory=OrderedDict)

    def of(self, person: str) -> _Kept:
        return self._kept.get(person, ())

    def put(self, person: str, fresh: _Kept, *, keep_order: bool = False) -> None:
        """Add the events of a person, who becomes the last one to be forgotten."""
        if not fresh:
            return
        before = self._kept.get(person, ())
        now = _in_order(before, fresh) if keep_order else before + fresh
        self._kept[person] = now[-self.most_per_person :]
        self._kept.move_to_end(person)
        self.n_events += len(self._kept[person]) - len(before)
        while self.n_events > self.most:
            self.take(next(iter(self._kept)))

    def take(self, person: str) -> _Kept:
        taken = self._kept.pop(person, ())
        self.n_events -= len(taken)
        return taken

    def drop_before(self, timestamp: float) -> None:
        kept = ((who, tuple(it for it in events if it.timestamp >= timestamp)) for who, events in self._kept.items())
        self._kept = OrderedDict((who, events) for who, events in kept if events)
        self.n_events = sum(map(len, self._kept.values()))


def _in_order(one: _Kept, other: _Kept) -> _Kept:
    """Both, each event once."""
    found = {it.seq: it for it in (*one, *other)}
    return tuple(found[seq] for seq in sorted(found))


def _event_of(kept: KeptEvent) -> Event:
    return Event(kept.item_id, kept.event, kept.value, kept.timestamp)
