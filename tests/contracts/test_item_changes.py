"""What is told of items is kept by SQLite and by PostgreSQL alike; a file of an earlier release is taken over."""

import json
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from recsys.errors import PostedFullError
from recsys.event_store.database import Database, open_database
from recsys.event_store.item_changes import KEPT_SECONDS, ItemChanges, pending

Reopen = Callable[..., Database]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def changes(reopen_database: Reopen, clock: Clock) -> ItemChanges:
    return ItemChanges(reopen_database(), most=2, clock=clock)


def values(changes: ItemChanges, at: float = 0.0) -> dict[str, dict[str, object]]:
    return {it.item_id: it.since(at) for it in changes.since(0)[1] if not it.removed}


class TestItemChanges:
    def test_what_was_told_is_there_for_others(
        self, changes: ItemChanges, reopen_database: Reopen, clock: Clock
    ) -> None:
        assert (changes.n(), changes.since(0)) == (0, (0, []))
        changes.post("new", {"title": "N", "tags": ["x"], "price": None})
        changes.update({"a": {"price": 1.5, "stock": None}, "b": {"title": "Zoë"}})
        other = ItemChanges(reopen_database())
        assert other.n() == 2
        assert values(other) == {
            "new": {"title": "N", "tags": ["x"]},
            "a": {"price": 1.5, "stock": None},
            "b": {"title": "Zoë"},
        }
        assert [(it.item_id, it.posted) for it in other.since(1)[1]] == [("a", False), ("b", False)]

    def test_each_value_has_its_own_time(self, changes: ItemChanges, clock: Clock) -> None:
        """A catalogue that was read between two updates of an item supersedes the first one alone."""
        changes.update({"a": {"price": 1.0, "stock": 1}})
        clock.now = 200.0
        changes.update({"a": {"stock": 0}})
        assert values(changes, at=150.0) == {"a": {"stock": 0}}
        assert values(changes) == {"a": {"price": 1.0, "stock": 0}}

    def test_an_update_of_a_posted_item_stays_posted(self, changes: ItemChanges) -> None:
        changes.post("new", {"title": "N"})
        changes.update({"new": {"price": 2}})
        ((found),) = changes.since(0)[1]
        assert (found.posted, found.since(0)) == (True, {"title": "N", "price": 2})
        changes.post("new", {"title": "M"})
        assert values(changes) == {"new": {"title": "M"}}

    def test_a_posted_item_is_taken_back_once(self, changes: ItemChanges) -> None:
        changes.post("new", {})
        assert (changes.remove("new"), changes.remove("new"), changes.remove("x")) == (True, False, False)
        assert [it.removed for it in changes.since(1)[1]] == [True]

    def test_full_is_full_until_a_version_has_taken_over(self, changes: ItemChanges) -> None:
        for item_id in "aba":
            changes.post(item_id, {})
        with pytest.raises(PostedFullError):
            changes.post("c", {})
        assert set(values(changes)) == {"a", "b"}
        changes.post("c", {}, is_taken_over=lambda item_id: item_id == "a")
        assert set(values(changes)) == {"b", "c"}

    def test_ten_thousand_updates_are_one_change(self, changes: ItemChanges) -> None:
        changes.update({f"i{at}": {"stock": at} for at in range(10_000)})
        changes.update({f"i{at}": {"price": at} for at in range(10_000)})
        n, found = changes.since(1)
        assert (n, len(found)) == (2, 10_000)
        assert all(set(it.told) == {"stock", "price"} for it in found)

    def test_what_was_superseded_long_ago_is_forgotten(self, changes: ItemChanges, clock: Clock) -> None:
        changes.update({"a": {"stock": 0}})
        changes.post("new", {"title": "N"})
        clock.now += KEPT_SECONDS + 1
        changes.update({"b": {"stock": 0}}, superseded_before=50.0)
        assert set(values(changes)) == {"a", "b", "new"}, "no catalogue has it yet"
        changes.update({"b": {"stock": 1}}, superseded_before=clock.now)
        assert set(values(changes)) == {"b", "new"}

    def test_what_another_place_kept_is_taken_over_once(self, changes: ItemChanges, tmp_path: Path) -> None:
        path = tmp_path / "new-items.sqlite"
        before = ItemChanges(open_database(path), path=path)
        changes.take_over(before, "file")
        assert not path.exists()
        before.post("new", {"title": "old"})
        before.update({"a": {"stock": 1}})
        changes.update({"a": {"stock": 2}})
        changes.take_over(before, "file")
        assert values(changes) == {"new": {"title": "old"}, "a": {"stock": 2}}
        changes.remove("new")
        changes.take_over(before, "file")
        assert set(values(changes)) == {"a"}

    def test_what_a_night_has_not_seen_is_counted(self, changes: ItemChanges) -> None:
        changes.post("new", {})
        changes.update({"a": {"stock": 1}, "b": {"stock": 1}})
        counted = pending(changes.since(0)[1], read_at=50.0, has_item={"a", "b"}.__contains__)
        assert counted == (1, 2)
        assert pending(changes.since(0)[1], read_at=150.0, has_item={"a", "new"}.__contains__) == (0, 0)


def test_a_file_of_an_earlier_release_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / "new-items.sqlite"
    with sqlite3.connect(path) as database:
        database.executescript(
            "CREATE TABLE items (item_id TEXT PRIMARY KEY, title TEXT, attributes TEXT NOT NULL,"
            " posted_at REAL NOT NULL);"
            "CREATE TABLE changes (one INTEGER PRIMARY KEY CHECK (one = 1), n INTEGER NOT NULL);"
            "INSERT INTO changes VALUES (1, 7);"
        )
        rows = [("a", None, json.dumps({"price": 1.5, "none": None}), 5.0), ("b", "B", "{}", 6.0)]
        database.executemany("INSERT INTO items VALUES (?, ?, ?, ?)", rows)
    database.close()
    for _ in range(2):
        changes = ItemChanges(open_database(path), path=path)
        assert changes.n() == 1
        assert values(changes) == {"a": {"price": 1.5}, "b": {"title": "B"}}
        assert values(changes, at=5.5) == {"a": {}, "b": {"title": "B"}}
    assert changes.since(0)[1][0].posted


def test_nothing_is_made_before_the_first_change(tmp_path: Path) -> None:
    path = tmp_path / "new-items.sqlite"
    changes = ItemChanges(open_database(path), path=path)
    assert (changes.n(), changes.since(0), changes.remove("a"), path.exists()) == (0, (0, []), False, False)
    changes.update({"a": {"stock": 1}})
    with sqlite3.connect(path) as database:
        assert database.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    database.close()
