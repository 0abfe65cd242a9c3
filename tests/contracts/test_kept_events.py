"""What holds of kept events and merged sessions, over SQLite and PostgreSQL."""

import threading
from collections.abc import Callable

from recsys.event_store.database import Database
from recsys.event_store.events import EVENTS, Events, NewEvent, Position
from recsys.event_store.merges import Merges
from recsys.event_store.schema import Schema

Open = Callable[..., Database]


def event(item: str, *, user: str | None = "ada", session: str | None = None, **other: object) -> NewEvent:
    told = {"event_id": None, "event": "view", "value": 1.0, "timestamp": 1_700_000_000.5, "received_at": 1.8e9}
    return NewEvent(user_id=user, session_id=session, item_id=item, **{**told, **other})


class TestEvents:
    def test_an_event_comes_back_as_it_was(self, reopen_database: Open) -> None:
        kept = event("dune", session="s", event_id="e1", value=2.5, recommendation_id="r1", place=3)
        assert Events(reopen_database()).add([[kept]]) == [1]
        (found,) = Events(reopen_database()).of_user("ada", limit=10)
        assert found[1:] == kept

    def test_an_event_that_comes_again_counts_once(self, reopen_database: Open) -> None:
        events = Events(reopen_database())
        assert events.add([[event("a", event_id="1"), event("b", event_id="2"), event("a", event_id="1")], []]) == [
            2,
            0,
        ]
        assert events.add([[event("a", event_id="1")], [event("c", event_id="3"), event("b", event_id="2")]]) == [
            0,
            1,
        ]
        assert events.add([[event("d"), event("d")]]) == [2]
        assert [it.item_id for it in events.of_user("ada", limit=10)] == ["d", "d", "c", "b", "a"]

    def test_a_store_of_an_earlier_release_gets_the_index_by_time(self, reopen_database: Open) -> None:
        earlier = reopen_database(Schema("events", EVENTS.migrations[:1]))
        columns = ", ".join(NewEvent._fields)
        with earlier.transaction() as statements:
            statements.insert(f"INSERT INTO events ({columns})", [event("a"), event("b", timestamp=1.75e9)])
        events = Events(reopen_database())
        assert [it.item_id for it in events.newer_than(1.7e9, limit=10).events] == ["a", "b"]
        assert events.add([[event("c")]]) == [1]
        with reopen_database(EVENTS).transaction() as statements:
            statements.execute("DROP INDEX events_by_time")  # an error if it is not there

    def test_the_latest_events_come_in_the_order_they_were_kept_in(self, reopen_database: Open) -> None:
        events = Events(reopen_database())
        events.add([[event(item, timestamp=1.7e9 + at) for item, at in (("a", 5), ("b", 1), ("c", 9), ("d", 7))]])
        news = events.newer_than(1.7e9 + 5, limit=2)
        assert ([it.item_id for it in news.events], news.whole, news.position.event) == (["c", "d"], False, 4)
        assert [it.item_id for it in events.newer_than(1.7e9 + 5, limit=4).events] == ["a", "c", "d"]

    def test_pages_are_newest_first_and_hold_merged_sessions(self, reopen_database: Open) -> None:
        events, merges = Events(reopen_database()), Merges(reopen_database())
        events.add([[event("a"), event("b", user=None, session="s"), event("c", user="bob"), event("d")]])
        events.add([[event("x", user="bob", session="s")]])
        assert merges.merge("s", "ada") == "ada"
        events.add([[event("e", user=None, session="s")]])
        page = events.of_user("ada", limit=3)
        assert [it.item_id for it in page] == ["e", "d", "b"]
        assert [it.item_id for it in events.of_user("ada", limit=3, before=page[-1].seq)] == ["a"]
        assert [it.item_id for it in events.of_session("s", limit=9)] == ["e", "x", "b"]

    def test_people_by_item_are_users_and_sessions_each_once(self, reopen_database: Open) -> None:
        events, merges = Events(reopen_database()), Merges(reopen_database())
        events.add([[event("old", user=f"u{n}") for n in range(5)]])
        events.add([[event("dune"), event("dune"), event("dune", user="bob"), event("dune", user=None, session="s")]])
        events.add([[event("ubik"), event("ubik", user=None, session="t"), event("shown", event="impression")]])
        events.add([[event("early", timestamp=1_600_000_000.0), event("solaris", event=None)]])
        merges.merge("s", "ada")

        def people(**others: int) -> dict[str, int]:
            bounds = {"most_events": 9, "most_items": 10, **others}
            return events.people_by_item(since=1_690_000_000.0, ignored=("impression",), **bounds)

        assert people() == {"dune": 2, "ubik": 2, "solaris": 1}
        assert list(people(most_items=2)) == ["dune", "ubik"]
        assert people(most_events=14) == {"old": 5, "dune": 2, "ubik": 2, "solaris": 1}

    def test_a_session_belongs_to_the_first_user_it_was_merged_with(self, reopen_database: Open) -> None:
        merges = Merges(reopen_database())
        assert [merges.merge("s", user) for user in ("ada", "ada", "bob")] == ["ada", "ada", "ada"]

    def test_reading_on_gives_each_event_and_merge_once(self, reopen_database: Open) -> None:
        events, merges = Events(reopen_database()), Merges(reopen_database())
        events.add([[event(str(at), user=None, session="s") for at in range(5)]])
        first = events.after(Position(), limit=3)
        assert [it.item_id for it in first.events] == ["0", "1", "2"]
        assert not first.whole
        merges.merge("s", "ada")
        second = events.after(first.position, limit=3)
        assert [(it.item_id, it.user_id) for it in second.events] == [("3", "ada"), ("4", "ada")]
        assert [(it.session_id, it.user_id) for it in second.merges] == [("s", "ada")]
        assert second.whole
        assert events.after(second.position, limit=3).events == ()
        assert second.position == events.last()

    def test_a_reader_misses_no_event_of_writers_at_once(self, reopen_database: Open) -> None:
        reader, kept, at = Events(reopen_database()), list[str](), Position()

        def write(name: str) -> None:
            events = Events(reopen_database())
            for part in range(20):
                events.add([[event(f"{name}-{part}-{one}", event_id=f"{name}-{part}-{one}") for one in range(5)]])

        writers = [threading.Thread(target=write, args=(str(name),)) for name in range(4)]
        for writer in writers:
            writer.start()
        alive = True
        while alive:
            alive = any(writer.is_alive() for writer in writers)
            news = reader.after(at, limit=1000)
            at = news.position
            kept += [it.item_id for it in news.events]
        assert len(kept) == len(set(kept)) == 400

    def test_the_newest_events_by_their_time(self, reopen_database: Open) -> None:
        events, merges = Events(reopen_database()), Merges(reopen_database())
        merges.merge("s", "ada")
        events.add([[event(str(at), user=None, session="s", timestamp=1000.0 + at % 5) for at in range(10)]])
        found = events.newer_than(1003, limit=3)
        assert [(it.item_id, it.user_id) for it in found.events] == [("4", "ada"), ("8", "ada"), ("9", "ada")]
        assert not found.whole
        assert found.position == events.last()
        assert events.newer_than(1004, limit=3).whole

    def test_a_night_reads_what_was_there_when_it_began(self, reopen_database: Open) -> None:
        events, merges = Events(reopen_database()), Merges(reopen_database())
        events.add([[event("a"), event("b", user=None, session="s"), event("c", user=None, session="t")]])
        merges.merge("s", "ada")
        until = events.last()
        merges.merge("t", "bob")
        events.add([[event("d")]])
        rows = [row[1:3] for part in events.stream(until, rows=2) for row in part]
        assert rows == [("ada", "a"), ("ada", "b"), (None, "c")]
