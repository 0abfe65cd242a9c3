"""Impressions and the figures made of them, over SQLite and PostgreSQL, against a slow reference in Python."""

import random
from collections import defaultdict
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from recsys.event_store.database import Database
from recsys.event_store.events import Events, NewEvent
from recsys.event_store.impressions import DAY, MOST_ITEMS, Impression, Impressions
from recsys.event_store.merges import Merges
from recsys.online.figures import Figures, arm_sums, online_report
from recsys.online.queries import Window

Open = Callable[..., Database]
START = 20_000 * DAY
WINDOW = Window(START, START + 3 * DAY)
SALT = "5a17" * 4


def impression(list_id: str, at: float, **other: Any) -> Impression:
    told = {"user_id": "ada", "session_id": None, "version": "v1", "arm": None, "experiment": None}
    told |= {"kind": "recommendations", "status": "known", "items": ("a", "b")}
    return Impression(list_id, START + at, **(told | other))


def event(list_id: str | None, at: float, *, kind: str = "click", user: str | None = "ada", **other: Any) -> NewEvent:
    told = {"event_id": None, "user_id": user, "session_id": None, "item_id": "a", "value": 1.0} | other
    return NewEvent(event=kind, timestamp=START + at, received_at=START + at, recommendation_id=list_id, **told)


def lines(found: tuple[Figures, ...]) -> dict[tuple[Any, ...], Figures]:
    return {(it.day, it.version, it.arm): it for it in found}


class TestImpressions:
    def test_a_list_is_kept_once_and_long_ones_in_part(self, reopen_database: Open) -> None:
        impressions = Impressions(reopen_database())
        long = impression("r1", 1, items=tuple(map(str, range(300))))
        assert impressions.add([long, impression("r2", 2), long]) == 2
        assert Impressions(reopen_database()).add([long]) == 0
        (first, second) = impressions.stream(20_000, 20_001)
        assert first.items == list(map(str, range(MOST_ITEMS)))
        assert (second.day, second.version, second.arm, second.items) == (20_000, "v1", None, ["a", "b"])

    def test_reading_in_parts_gives_every_list_once(self, reopen_database: Open) -> None:
        impressions = Impressions(reopen_database())
        days = [at * 7_919 % (4 * DAY) // DAY for at in range(57)]
        impressions.add([impression(f"r{at}", at * 7_919 % (4 * DAY), items=(str(at),)) for at in range(57)])
        read = list(impressions.stream(20_001, 20_003, rows=5))
        assert sorted(int(it.items[0]) for it in read) == [at for at, day in enumerate(days) if day in (1, 2)]
        assert impressions.forget(20_001, rows=2) == days.count(0)
        assert impressions.forget(20_001) == 0


class TestFigures:
    def test_a_hand_worked_day(self, reopen_database: Open) -> None:
        database = reopen_database()
        Impressions(database).add(
            [
                impression("r1", 10),
                impression("r2", 20, items=("c",)),
                impression("r3", 30, user_id="bob", status="fallback", items=()),
                impression("r4", 40, user_id=None, session_id="s"),
                impression("r5", 50, user_id=None),
                impression("r6", DAY + 10, version="v2"),
            ]
        )
        clicks = [event("r1", 11), event("r1", 12), event("r2", 21), event(None, 22), event("gone", 23)]
        bought = [event(None, 5, kind="buy", user="bob"), event(None, 45, kind="buy", user=None, session_id="s")]
        Events(database).add([clicks, bought])
        window = Window(WINDOW.since, WINDOW.until, clicks=("click",), conversions=("buy",))
        report = online_report(database, window, n_items={"v1": 4})
        (first, second) = report.by_day
        assert (first.day, first.version, first.arm) == ("2024-10-04", "v1", None)
        assert (first.users, first.lists) == (4, 5)  # ada, bob, the session, and the list of nobody
        assert first.click_through.value == pytest.approx(2 / 5)
        assert first.conversion.value == pytest.approx(1 / 4)  # bob bought before the list
        assert (first.items, first.coverage) == (3, 0.75)
        assert (first.fallback_share, first.empty_share) == (0.2, 0.2)
        assert (first.click_through.low, first.click_through.high) == (None, None)
        assert (second.day, second.version, second.lists, second.coverage) == ("2024-10-05", "v2", 1, None)
        assert second.click_through.value == 0
        assert report.versions == {"v1", "v2"}

    def test_the_last_half_second_of_a_day_is_of_that_day(self, reopen_database: Open) -> None:
        database = reopen_database()
        Impressions(database).add([impression("r1", 1), impression("r2", DAY + 1)])
        Events(database).add([[event(None, DAY - 0.3)]])
        assert [it.conversion.value for it in online_report(database, WINDOW).by_day] == [1, 0]

    def test_a_merged_session_is_its_user(self, reopen_database: Open) -> None:
        database = reopen_database()
        Impressions(database).add([impression("r1", 1), impression("r2", 2, user_id=None, session_id="s")])
        Events(database).add([[event("r2", 3, user=None, session_id="s")]])
        assert online_report(database, WINDOW).overall[0].users == 2
        Merges(database).merge("s", "ada")
        (both,) = online_report(database, WINDOW).overall
        assert (both.users, both.lists, both.click_through.value, both.conversion.value) == (1, 2, 0.5, 1)

    def test_random_days_are_as_a_slow_reference_says(self, reopen_database: Open) -> None:
        rng, database = random.Random(5), reopen_database()
        given = [
            impression(
                f"r{at}",
                rng.uniform(-DAY / 2, 3.5 * DAY),
                user_id=f"u{rng.randrange(60)}",
                version=rng.choice(["v1", "v2"]),
                arm=(arm := rng.choice([None, "control", "treatment"])),
                experiment=arm and SALT,
                status=rng.choice(["known", "fallback"]),
            )
            for at in range(900)
        ]
        events = [
            event(f"r{rng.randrange(900)}", rng.uniform(0, 3 * DAY), kind=rng.choice(["click", "view"]), user="x")
            for _ in range(300)
        ]
        bought = [event(None, rng.uniform(0, 3 * DAY), kind="buy", user=f"u{rng.randrange(60)}") for _ in range(40)]
        Impressions(database).add(given)
        Events(database).add([events, bought])
        report = online_report(database, Window(START, START + 3 * DAY, clicks=("click",), conversions=("buy",)))
        for found, by_day in ((report.by_day, True), (report.overall, False)):
            expected = _reference(given, events, bought, by_day=by_day)
            assert lines(found).keys() == expected.keys()
            for key, figures in lines(found).items():
                told = (figures.users, figures.lists, figures.click_through.value, figures.conversion.value)
                assert told == pytest.approx(expected[key]), key
            assert any(figures.click_through.high is not None for figures in found)

    def test_units_in_both_arms_are_left_out_and_counted(self, reopen_database: Open) -> None:
        database = reopen_database()
        arms = {"ada": ["control"], "bob": ["treatment", "treatment"], "cem": ["control", "treatment"]}
        Impressions(database).add(
            [
                impression(f"{user}{at}", at, user_id=user, arm=arm, experiment=SALT)
                for user, given in arms.items()
                for at, arm in enumerate(given)
            ]
            + [impression("before", 1, user_id="dee", arm="control", experiment="0ther" * 3), impression("none", 2)]
        )
        Events(database).add([[event("bob1", 5, user="bob")]])
        sums, n_mixed = arm_sums(database, Window(START, START + DAY, experiment=SALT))
        assert n_mixed == 1
        assert (sums["control"].clicks.n, sums["control"].clicks.rate) == (1, 0)
        assert (sums["treatment"].clicks.n, sums["treatment"].clicks.rate) == (1, 0.5)
        assert sums["treatment"].conversions.rate == 1
        assert sums["treatment"].clicks.bottom_squared == 4

    def test_an_empty_store_has_no_lines(self, reopen_database: Open) -> None:
        assert online_report(reopen_database(), WINDOW).overall == ()
        assert arm_sums(reopen_database(), WINDOW) == ({}, 0)


def _reference(
    given: list[Impression], events: list[NewEvent], bought: list[NewEvent], *, by_day: bool
) -> dict[tuple[Any, ...], tuple[float, ...]]:
    clicked = {it.recommendation_id for it in events if it.event == "click"}
    groups: dict[tuple[Any, ...], list[Impression]] = defaultdict(list)
    for it in given:
        if START <= it.given_at < START + 3 * DAY:
            day = datetime.fromtimestamp(it.given_at, UTC).date().isoformat() if by_day else None
            groups[day, it.version, it.arm].append(it)
    found = {}
    for key, lists in groups.items():
        first: dict[Any, float] = {}
        for it in lists:
            first[it.user_id] = min(it.given_at, first.get(it.user_id, it.given_at))
        converted = {
            it.user_id
            for it in bought
            if it.user_id in first
            and it.timestamp >= first[it.user_id]
            and (not by_day or datetime.fromtimestamp(it.timestamp, UTC).date().isoformat() == key[0])
        }
        clicks = sum(it.recommendation_id in clicked for it in lists)
        found[key] = (len(first), len(lists), clicks / len(lists), len(converted) / len(first))
    return found
