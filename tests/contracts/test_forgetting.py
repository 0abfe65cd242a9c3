"""What an event store holds of a user is told, deleted, and not written again, in both databases."""

import time
from collections.abc import Callable

import pytest

from recsys.event_store.database import Database
from recsys.event_store.events import Events, NewEvent
from recsys.event_store.forgetting import held_of, remove_forgotten, remove_user, sessions_of
from recsys.event_store.impressions import Impression, Impressions
from recsys.event_store.merges import Merges
from recsys.forgotten import Forgotten

T = time.time() - 1000.0
"""When ada is forgotten."""


def event(user: str | None, session: str | None, at: float, *, came: float | None = None) -> NewEvent:
    return NewEvent(None, user, session, "dune", None, 1.0, at, at if came is None else came)


def given(user: str | None, session: str | None, at: float) -> Impression:
    return Impression(f"{user}{session}{at}", at, user, session, "v", None, None, "recommendations", None, ["dune"])


@pytest.fixture
def database(reopen_database: Callable[[], Database]) -> Database:
    """Before and after T: ada, a session of hers, and bob, who once used that session."""
    database = reopen_database()
    who = [("ada", None), (None, "s"), ("bob", "s"), ("bob", None)]
    Events(database).add([[event(user, session, at) for at in (T - 9, T + 9) for user, session in who]])
    Impressions(database).add([given(user, session, at) for at in (T - 9, T + 9) for user, session in who])
    Merges(database).merge("s", "ada")
    return database


def rows(database: Database, table: str, time_column: str) -> list[tuple[str | None, str | None, float]]:
    with database.read() as queries:
        found = queries.fetch(f"SELECT user_id, session_id, {time_column} FROM {table} ORDER BY seq")
    return [(user, session, round(at - T)) for user, session, at in found]


AFTER = [("ada", None, 9), (None, "s", 9), ("bob", "s", 9), ("bob", None, 9)]
BOBS = [("bob", "s", -9), ("bob", None, -9)]


def test_what_came_until_then_goes_and_the_rest_stays(database: Database) -> None:
    now = time.time() + 1  # the merge is of now
    assert sessions_of(database, "ada", until=now) == ("s",)
    removed = remove_user(database, "ada", until=now)
    assert (removed.events, removed.impressions, removed.sessions) == (4, 4, ("s",))
    assert rows(database, "events", "received_at") == [*BOBS, *AFTER[2:]]
    assert rows(database, "impressions", "given_at") == [*BOBS, *AFTER[2:]]
    assert sessions_of(database, "ada", until=now) == ()


def test_what_comes_later_is_kept(database: Database) -> None:
    assert remove_user(database, "ada", until=T).events == 1  # the session became ada's later
    assert rows(database, "events", "received_at") == [(None, "s", -9), *BOBS, *AFTER]


def test_digests_find_whoever_was_forgotten(database: Database) -> None:
    removed = remove_forgotten(database, Forgotten.as_if(["ada"], at=time.time() + 1))
    assert [each.events for each in removed] == [4]
    assert remove_forgotten(database, Forgotten.as_if(["ada"], at=time.time() + 1)) == ()


def test_all_that_is_held_is_told(database: Database) -> None:
    held = held_of(database, "ada", limit=3)
    assert (held.sessions, held.n_events, len(held.events)) == (("s",), 4, 3)
    assert (held.n_impressions, held.impressions[0]["items"]) == (4, ["dune"])
    assert held_of(database, "nobody", limit=3).n_events == 0


def test_an_event_on_its_way_is_not_kept(reopen_database: Callable[[], Database]) -> None:
    forgotten = Forgotten.as_if(["ada"], at=T)
    asked = []

    def now() -> Forgotten:
        asked.append(True)
        return forgotten

    events = Events(reopen_database(), forgotten=now)
    late, early = event("ada", None, T - 9, came=T + 9), event("ada", None, T - 9)
    assert events.add([[late, early, event("ada", None, T + 9), event("bob", None, T - 9)]]) == [2]
    assert asked == [True]


def test_a_list_on_its_way_is_kept_without_the_id(reopen_database: Callable[[], Database]) -> None:
    database = reopen_database()
    impressions = Impressions(database, forgotten=lambda: Forgotten.as_if(["ada"], at=T))
    assert impressions.add([given("ada", "s", T + 9), given("bob", None, T)]) == 2
    assert rows(database, "impressions", "given_at") == [(None, None, 9), ("bob", None, 0)]
