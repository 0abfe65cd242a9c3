"""`log.events`: the next night reads the events that a service was sent, from SQLite and from PostgreSQL alike."""

import logging
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from recsys.config import LogConfig
from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.configured import events_input, log_input, whole_log
from recsys.data.ingest.readers import read_log
from recsys.data.interactions import Interactions
from recsys.errors import DataError
from recsys.event_store.database import Database, open_database
from recsys.event_store.events import Events, NewEvent
from recsys.event_store.merges import Merges

AT = 1_790_000_000.0
COLUMNS = {"user": "u", "item": "i", "timestamp": "t", "event": "e", "value": "v", "max_future": "3650d"}
WEIGHTS = {"view": 1.0, "purchase": 5.0}


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where events are kept."""
    if request.param == "sqlite":
        return str(tmp_path / "events.db")
    return str(request.getfixturevalue("postgres"))


@pytest.fixture
def database(place: str) -> Iterator[Database]:
    with closing(open_database(place)) as opened:
        yield opened


def log_of(place: str, monkeypatch: pytest.MonkeyPatch, **settings: Any) -> LogConfig:
    monkeypatch.setenv("KEPT_EVENTS", place)
    return LogConfig.model_validate({**COLUMNS, "event_weights": WEIGHTS, "events": "${KEPT_EVENTS}", **settings})


def event(item: str, *, user: str | None = None, session: str | None = None, **others: Any) -> NewEvent:
    facts: dict[str, Any] = {"event": "view", "value": 1.0, "timestamp": AT, "received_at": AT, **others}
    return NewEvent(event_id=None, user_id=user, session_id=session, item_id=item, **facts)


def rows_of(read: tuple[Interactions, RowCounts]) -> list[tuple[str, str, str, float, int]]:
    events, _ = read
    assert events.event is not None and events.timestamp is not None
    users, items = events.users.decode(events.user_idx.tolist()), events.items.decode(events.item_idx.tolist())
    kinds = [events.event_names[code] for code in events.event]
    return list(zip(users, items, kinds, events.value.tolist(), events.timestamp.tolist(), strict=True))


def test_events_are_rows_of_the_log(database: Database, place: str, monkeypatch: pytest.MonkeyPatch) -> None:
    kept = [
        event("dune", user="ada", event="purchase", value=2.0, timestamp=AT + 0.75),
        event("ubik", user="bob", event=None),  # of the lightest kind
        event("solaris", session="s1"),
        event("it's", user="käthe"),
    ]
    Events(database).add([kept])
    Merges(database).merge("s1", "ada")

    log = log_of(place, monkeypatch)
    read = read_log(log_input(log), log)

    at = int(AT)
    assert rows_of(read) == [
        ("ada", "dune", "purchase", 2.0, at),
        ("bob", "ubik", "view", 1.0, at),
        ("ada", "solaris", "view", 1.0, at),
        ("käthe", "it's", "view", 1.0, at),
    ]


def test_visitors_are_counted_and_do_not_stop_the_job(
    database: Database, place: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    visitors = [event("dune", session=f"s{n}") for n in range(50)]
    Events(database).add([visitors, [event("ubik", user="ada")]])
    log = log_of(place, monkeypatch)
    _, counts = read_log(log_input(log), log)
    assert (counts.rows_read, counts.accepted, counts.n_refused) == (51, 1, 0)
    assert counts.ignored == {"anonymous": 50}


def test_an_event_that_the_log_refuses_is_told_by_place_and_row(
    database: Database, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    many = [event("dune", user=f"u{n}") for n in range(60)]
    Events(database).add([[*many, event("dune", user="ada", event="teleport")]])
    log = log_of(place, monkeypatch)
    _, counts = read_log(log_input(log), log, quarantine=tmp_path / "quarantine.jsonl")
    assert counts.refused == {"unknown_event": 1}
    assert '"events of ${KEPT_EVENTS}"' in (told := (tmp_path / "quarantine.jsonl").read_text()), told
    assert "61" in told


def test_they_come_after_the_rows_of_the_files(
    database: Database, place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "log.csv").write_text(f"u,i,t,e,v\nada,dune,{int(AT)},view,1\nbob,ubik,{int(AT)},purchase,3\n")
    Events(database).add([[event("solaris", user="ada")]])
    log = log_of(place, monkeypatch, paths=[str(tmp_path / "log.csv")])
    read = read_log(whole_log(log), log)
    assert [row[:2] for row in rows_of(read)] == [("ada", "dune"), ("bob", "ubik"), ("ada", "solaris")]
    assert whole_log(log).names == ("log.csv", "events of the service")


def test_the_fingerprint_is_that_of_the_events_in_any_order(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kept = [event(f"i{n}", user=f"u{n % 7}", timestamp=AT + n) for n in range(50)]
    log = log_of(place, monkeypatch)
    with closing(open_database(place)) as database:
        Events(database).add([kept])
        first = log_input(log).fingerprint()
        again = log_input(log).fingerprint()
        Events(database).add([[event("i0", user="u0")]])
        more = log_input(log).fingerprint()
    other = str(tmp_path / "other.db")
    with closing(open_database(other)) as database:
        Events(database).add([kept[::-1]])
    reversed_log = log_of(other, monkeypatch)
    assert first == again != more
    if place.endswith(".db"):  # of one kind of database; another one has columns of other types
        assert log_input(reversed_log).fingerprint() == first


def test_a_store_that_was_not_made_yet_has_no_events(
    place: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "log.csv").write_text(f"u,i,t,e,v\nada,dune,{int(AT)},view,1\n")
    log = log_of(place, monkeypatch, paths=[str(tmp_path / "log.csv")])
    with caplog.at_level(logging.WARNING):
        read = read_log(whole_log(log), log)
    assert [row[:2] for row in rows_of(read)] == [("ada", "dune")]
    assert "has no events yet" in caplog.text
    assert not (tmp_path / "events.db").exists()
    alone = log_of(place, monkeypatch)
    with pytest.raises(DataError, match="holds no rows"):
        read_log(log_input(alone), alone)


def test_a_path_starts_at_the_folder_of_the_configuration(tmp_path: Path) -> None:
    with closing(open_database(tmp_path / "events.db")) as database:
        Events(database).add([[event("dune", user="ada")]])
    log = LogConfig.model_validate({**COLUMNS, "events": "events.db"}, context={"base": tmp_path})
    assert [row[:2] for row in rows_of(read_log(log_input(log), log))] == [("ada", "dune")]


def test_source_events_is_the_store_of_the_service(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECSYS_EVENTS", str(tmp_path / "events.db"))
    with closing(open_database(tmp_path / "events.db")) as database:
        Events(database).add([[event("dune", user="ada")]])
    log = LogConfig.model_validate({**COLUMNS, "source": "events"})
    assert events_input(log) is None
    read, counts = read_log(log_input(log), log)
    np.testing.assert_array_equal(read.value, [1.0])
    assert counts.accepted == 1
