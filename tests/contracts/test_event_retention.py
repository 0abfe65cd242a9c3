"""What an event store holds, and the removal of what is old, over SQLite and PostgreSQL."""

import json
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from recsys.event_store import retention
from recsys.event_store.database import Database, open_database
from recsys.event_store.events import Events, NewEvent
from recsys.event_store.merges import Merges
from recsys.event_store.retention import holdings, prune_events
from tests.conftest import Result

OLD, NEW = 1_600_000_000.0, 4_000_000_000.0


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where events are kept."""
    return str(tmp_path / "events.db") if request.param == "sqlite" else str(request.getfixturevalue("postgres"))


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    """Five old events and three new ones, in turns as they were kept, and a merged session."""
    with closing(open_database(place)) as opened:
        Events(opened).add([[event(n, OLD + n), event(10 + n, NEW + n)] for n in range(3)])
        Events(opened).add([[event(3, OLD), event(4, OLD, kind=None)]])
        Merges(opened).merge("s1", "ada")
        yield opened


def event(number: int, timestamp: float, kind: str | None = "view") -> NewEvent:
    return NewEvent(f"e{number}", f"u{number % 2}", None, f"i{number}", kind, 1.0, timestamp, timestamp)


def kept(database: Database) -> list[str]:
    with database.read() as queries:
        return [row[0] for row in queries.fetch("SELECT event_id FROM events ORDER BY seq")]


def test_what_is_there_is_counted(database: Database) -> None:
    found = holdings(database)
    assert (found.events, found.oldest, found.newest) == (8, OLD, NEW + 2)
    assert dict(found.by_kind) == {"view": 7, "": 1}
    assert (found.users, found.sessions, found.impressions) == (2, 1, 0)


@pytest.mark.parametrize("rows", [1, 3, 100])
def test_old_events_are_deleted_and_no_other(database: Database, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retention, "ROWS", rows)
    assert prune_events(database, before=NEW, dry_run=True) == 5
    assert len(kept(database)) == 8
    assert prune_events(database, before=NEW) == 5
    assert kept(database) == ["e10", "e11", "e12"]
    assert prune_events(database, before=NEW) == 0
    assert holdings(database).sessions == 1


def test_an_empty_store_has_nothing(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "events.db")) as empty:
        assert prune_events(empty, before=NEW) == 0
        assert (holdings(empty).events, holdings(empty).oldest) == (0, None)


def test_by_hand(database: Database, place: str, recsys: Callable[..., Result]) -> None:
    told: dict[str, Any] = json.loads(recsys("events", "status", "--events", place, "--json").stdout)
    assert (told["events"], told["by_kind"], told["merged_sessions"]) == (8, {"view": 7, "": 1}, 1)
    counted = recsys("events", "prune", "--events", place, "--keep", "30d", "--dry-run")
    assert "5 events of before" in counted.stdout
    assert "would be deleted" in counted.stdout
    assert json.loads(recsys("events", "prune", "--events", place, "--keep", "30d", "--json").stdout)["events"] == 5
    assert len(kept(database)) == 3


@pytest.mark.parametrize(
    ("keep", "message"), [("soon", "expected a duration such as '28d'"), ("0d", "all events would be deleted")]
)
def test_a_wrong_duration_deletes_nothing(
    database: Database, place: str, recsys: Callable[..., Result], keep: str, message: str
) -> None:
    ended = recsys("events", "prune", "--events", place, "--keep", keep)
    assert ended.returncode == 2
    assert f"--keep {keep}" in ended.stderr
    assert message in ended.stderr
    assert len(kept(database)) == 8
