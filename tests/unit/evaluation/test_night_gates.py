"""Night gates on profiles: sound nights of a made-up shop pass, each planted loss is refused under its name."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
import pytest

from recsys.config import LimitsConfig
from recsys.data.id_map import IdMap
from recsys.data.ingest.accounting import RowCounts
from recsys.data.interactions import Interactions
from recsys.data.items import Items
from recsys.data.profile import LogProfile, profile_log
from recsys.evaluation.gates import Gate
from recsys.evaluation.kept_nights import Course, KeptNight, Night
from recsys.evaluation.night_gates import NIGHT_GATES, check_night

DAY = 86_400
START = 1_767_225_600
N_USERS, N_ITEMS = 400, 80
KINDS = ("view", "cart", "purchase")
USERS, ITEMS = (IdMap.of([f"{kind}{at:04}" for at in range(n)])[0] for kind, n in (("u", N_USERS), ("i", N_ITEMS)))


@dataclass(frozen=True)
class Log:
    """Columns of one night's log: user, item, second, kind."""

    user: np.ndarray
    item: np.ndarray
    second: np.ndarray
    kind: np.ndarray

    def where(self, keep: np.ndarray) -> "Log":
        return Log(self.user[keep], self.item[keep], self.second[keep], self.kind[keep])


def shop(seed: int, *, days: int, growth: float = 0.0, weekend: float = 0.4, sale: tuple[int, ...] = ()) -> Log:
    """A log in which busy users and items are common; weekends are quiet, and sales bring three times as much."""
    rng = np.random.default_rng(seed)
    per_day = [
        rng.poisson(200 * (1 + growth) ** day * (weekend if day % 7 > 4 else 1) * (3 if day in sale else 1))
        for day in range(days)
    ]
    n = sum(per_day)
    second = START + np.repeat(np.arange(days), per_day) * DAY + rng.integers(0, DAY, n)
    activity = rng.permutation(1 / np.arange(1, N_USERS + 1) ** 0.5)
    user = rng.choice(N_USERS, n, p=activity / activity.sum()).astype(np.int32)
    item = np.minimum(rng.geometric(0.06, n) - 1, N_ITEMS - 1).astype(np.int32)
    return Log(user, item, second, rng.choice(3, n, p=[0.86, 0.1, 0.04]).astype(np.int8))


def catalogue(n: int = N_ITEMS, *, price: Callable[[int], float | None] = float) -> Items:
    prices = pa.array([price(at) for at in range(n)], pa.float64())
    return Items(ITEMS.take(np.arange(n, dtype=np.int32)), pa.table({"title": ITEMS.ids[:n], "price": prices}))


def profile(log: Log, items: Items | None = None, *, refused: int = 0) -> LogProfile:
    events = Interactions(
        users=USERS,
        items=ITEMS,
        user_idx=log.user,
        item_idx=log.item,
        value=np.ones(len(log.user), np.float32),
        timestamp=log.second,
        event=log.kind,
        event_names=KINDS,
    )
    rows = RowCounts(len(events) + refused, len(events), {"bad_time": refused} if refused else {})
    newest = int(log.second.max())
    return profile_log(events, rows, catalogue() if items is None else items, entries=1, newest_event=newest)


def nights(log: Log, *, first: int, last: int, window: int | None = None) -> Iterator[tuple[KeptNight, Log]]:
    """One night after each day from `first` to `last`: what the shop has kept of its log by then."""
    seen: set[int] = set()
    for day in range(first, last + 1):
        end = START + (day + 1) * DAY
        tonight = log.where((log.second < end) & (log.second >= (0 if window is None else end - window * DAY)))
        users = set(tonight.user.tolist())
        gone = len(seen - users) / len(seen) if seen else None
        seen = users
        made_at = end + 7200
        yield KeptNight(version=f"v{day:016}", made_at=made_at, profile=profile(tonight), gone_users=gone), tonight


def judge(kept: list[KeptNight], night: KeptNight, limits: LimitsConfig | None = None) -> dict[str, Gate]:
    tonight = Night(profile=night.profile, now=night.made_at, gone_users=night.gone_users)
    course = Course(tuple(kept[-14:])) if kept else None
    return {gate.name: gate for gate in check_night(tonight, course, limits or LimitsConfig())}


def refused(gates: dict[str, Gate]) -> list[str]:
    return [gate.name for gate in gates.values() if gate.refuses]


COURSES = {
    "everything is kept": {"days": 30, "first": 8},
    "slow growth": {"days": 30, "first": 8, "growth": 0.03},
    "the last 14 days": {"days": 40, "first": 14, "window": 14},
    "a sale leaves the window": {"days": 45, "first": 14, "window": 14, "sale": (20, 21, 22)},
    "no trade at weekends": {"days": 35, "first": 12, "window": 28, "weekend": 0.0},
    "slow decline": {"days": 40, "first": 21, "window": 21, "growth": -0.02},
}


@pytest.mark.parametrize("seed", range(8))
@pytest.mark.parametrize("name", COURSES)
def test_sound_nights_pass(name: str, seed: int) -> None:
    course = dict(COURSES[name])
    first, window, days = course.pop("first"), course.pop("window", None), course["days"]
    kept: list[KeptNight] = []
    for night, _ in nights(shop(seed, **course), first=first, last=days - 1, window=window):
        gates = judge(kept, night)
        assert refused(gates) == [], [gates[name].detail for name in refused(gates)]
        kept.append(night)


LOSSES: dict[str, Callable[[Log], LogProfile]] = {
    "users": lambda log: profile(log.where(log.user % 4 == 0)),
    "items": lambda log: profile(log.where(log.item < 40)),
    "rows_accepted": lambda log: profile(log.where(np.arange(len(log.user)) % 3 > 0), refused=len(log.user) // 3),
    "rows_read": lambda log: profile(log.where(np.arange(len(log.user)) % 3 > 0)),
    "events": lambda log: profile(log.where(log.kind < 2)),
    "newest_event": lambda log: profile(log.where(log.second < log.second.max() - 4 * DAY)),
    "catalogue": lambda log: profile(log, catalogue(10)),
    "catalogue_share": lambda log: profile(log, catalogue(12)),
    "attributes": lambda log: profile(log, catalogue(price=lambda at: None if at % 3 else 1.0)),
}


@pytest.mark.parametrize("n_kept", [1, 2, 3, 7])
@pytest.mark.parametrize("gate", LOSSES)
def test_each_loss_is_refused_under_its_name(gate: str, n_kept: int) -> None:
    found = list(nights(shop(1, days=20, growth=0.02), first=12, last=12 + n_kept))
    kept, (night, log) = [night for night, _ in found[:-1]], found[-1]
    assert refused(judge(kept, night)) == []
    gates = judge(kept, replace(night, profile=LOSSES[gate](log)))
    assert gate in refused(gates)
    assert "(publish.limits.m" in gates[gate].detail


def test_users_who_are_gone_are_refused_although_others_came() -> None:
    kept, (night, _) = _two_nights()
    assert refused(judge(kept, replace(night, gone_users=0.25))) == []
    gates = judge(kept, replace(night, gone_users=0.26))
    assert refused(gates) == ["gone_users"]
    assert gates["gone_users"].detail == (
        "users of the serving version who are not in the log: 26 %; up to 25 % is allowed"
        " (publish.limits.max_gone_users)"
    )


def _two_nights() -> tuple[list[KeptNight], tuple[KeptNight, Log]]:
    first, second = nights(shop(1, days=20), first=18, last=19)
    return [first[0]], second


def _night(**changes: object) -> KeptNight:
    known = LogProfile(rows_read=1100, accepted=1000, n_users=100, n_items=50, newest_event=START)
    return KeptNight(version="v0", made_at=START + 3600, profile=known.model_copy(update=changes))


def test_a_fall_tells_both_values_and_the_key() -> None:
    assert judge([_night()], _night(n_users=26))["users"] == Gate(
        "users",
        False,
        "users: 26, 74 % fewer than the serving version's 100; up to 20 % fewer is allowed"
        " (publish.limits.max_users_drop)",
    )


@pytest.mark.parametrize(
    ("n_users", "detail"),
    [(100, "users: 100, as in the serving version"), (250, "users: 250, 150 % more than the serving version's 100")],
)
def test_growth_is_told_and_never_refused(n_users: int, detail: str) -> None:
    assert judge([_night()], _night(n_users=n_users), LimitsConfig(max_users_drop=0))["users"].detail == detail
    assert refused(judge([_night()], _night(n_users=n_users), LimitsConfig(max_users_drop=0))) == []


@pytest.mark.parametrize(("limit", "expected"), [(0.5, []), (0.4, ["users"])])
def test_a_limit_is_a_setting(limit: float, expected: list[str]) -> None:
    assert refused(judge([_night()], _night(n_users=55), LimitsConfig(max_users_drop=limit))) == expected


def test_after_a_sale_the_usual_course_is_no_loss() -> None:
    usual = [_night(n_users=n) for n in (100, 102, 101, 103, 102, 104)]
    gates = judge([*usual, _night(n_users=180)], _night(n_users=103))
    assert gates["users"].passed
    assert "usually about 107" in gates["users"].detail
    assert refused(judge([*usual, _night(n_users=180)], _night(n_users=80))) == ["users"]
    assert refused(judge([_night(n_users=100), _night(n_users=180)], _night(n_users=103))) == ["users"]


def test_a_night_that_was_accepted_is_no_usual_course() -> None:
    small = [replace(_night(n_users=20), accepted=frozenset({"users"}))] * 6
    assert refused(judge([*small, _night()], _night(n_users=60))) == ["users"]
    assert refused(judge([*[_night(n_users=20)] * 6, _night()], _night(n_users=60))) == []


def test_the_first_night_is_compared_with_nothing() -> None:
    assert [*judge([], _night())] == ["newest_event"]
    assert refused(judge([], _night(), LimitsConfig(max_log_age=1800))) == ["newest_event"]


def test_a_version_that_is_older_than_profiles_is_compared_as_far_as_it_says() -> None:
    old = replace(_night(), profile=LogProfile(rows_read=1100, accepted=1000))
    assert [*judge([old], _night(rows_read=100))] == ["rows_read", "rows_accepted", "newest_event"]
    assert refused(judge([old], _night(rows_read=100))) == ["rows_read"]


@pytest.mark.parametrize(
    ("before", "now", "expected"),
    [
        ({"view": 0.9, "buy": 0.1}, {"view": 1.0}, ["events"]),
        ({"view": 0.9, "buy": 0.1}, {"view": 0.98, "buy": 0.02}, ["events"]),
        ({"view": 0.9, "buy": 0.1}, {"view": 0.94, "buy": 0.06}, []),
        ({"view": 0.99, "buy": 0.01}, {"view": 1.0}, []),
        ({"view": 1.0}, {"view": 0.7, "buy": 0.3}, []),
        ({"view": 0.9, "buy": 0.1}, {}, ["events"]),
    ],
)
def test_kinds_of_events_may_not_vanish(before: dict[str, float], now: dict[str, float], expected: list[str]) -> None:
    gates = judge([_night(events=before)], _night(events=now))
    assert refused(gates) == expected
    if expected:
        assert "buy" in gates["events"].detail or "view 0 %" in gates["events"].detail


def test_a_lost_catalogue_is_refused_and_a_lost_attribute_too() -> None:
    log = shop(1, days=3)
    full = _night(catalogue=profile(log).catalogue)
    assert refused(judge([full], _night())) == ["catalogue"]
    bare = profile(log, Items(ITEMS, pa.table({"title": ITEMS.ids, "price": ITEMS.ids}))).catalogue
    gates = judge([full], _night(catalogue=bare))
    assert refused(gates) == ["attributes"]
    assert gates["attributes"].detail.startswith("price was number and is text now")
    none = profile(log, Items(ITEMS, pa.table({"title": ITEMS.ids}))).catalogue
    assert refused(judge([full], _night(catalogue=none))) == ["attributes"]
    limits = LimitsConfig(same_attribute_kinds=False)
    assert refused(judge([full], _night(catalogue=bare), limits)) == []
    assert refused(judge([_night()], full)) == []


@pytest.mark.parametrize("gate", NIGHT_GATES)
def test_every_gate_has_been_refused_here(gate: str) -> None:
    assert gate in {*LOSSES, "gone_users"}


class TestNewestEvent:
    @pytest.mark.parametrize(
        ("moved", "elapsed", "expected"),
        [
            (DAY, DAY, []),
            (0, DAY, []),
            (0, 4 * DAY, ["newest_event"]),
            (4 * DAY, 4 * DAY, []),
            (-DAY, DAY, []),
            (-2 * DAY, 60, ["newest_event"]),
            (9 * DAY, DAY, []),
        ],
    )
    def test_it_goes_on_with_the_clock(self, moved: int, elapsed: int, expected: list[str]) -> None:
        night = replace(_night(newest_event=START + moved), made_at=START + 3600 + elapsed)
        assert refused(judge([_night()], night)) == expected

    def test_a_finished_log_need_not_move_on(self) -> None:
        kept = replace(_night(), made_at=START + 40 * DAY)
        assert refused(judge([kept], replace(kept, made_at=kept.made_at + 90 * DAY))) == []

    def test_standing_still_for_one_night_is_a_warning(self) -> None:
        kept = [replace(_night(newest_event=START + day * DAY), made_at=START + day * DAY + 3600) for day in range(3)]
        still = replace(kept[-1], made_at=kept[-1].made_at + DAY)
        assert judge(kept, still)["newest_event"].warning
        assert not judge(kept, replace(kept[-1], made_at=kept[-1].made_at + 600))["newest_event"].warning

    def test_it_is_compared_with_how_far_nights_move_it(self) -> None:
        """Nights that are made up from an old log, one after the other within minutes, a week of the log each."""
        kept = [replace(_night(newest_event=START + at * 7 * DAY), made_at=START + at * 60) for at in range(3)]
        still = replace(kept[-1], made_at=kept[-1].made_at + 60)
        gates = judge(kept, still)
        assert refused(gates) == ["newest_event"]
        assert "it is 7 days behind its usual course; 3d are allowed (publish.limits.max_stale)" in (
            gates["newest_event"].detail
        )


@pytest.mark.parametrize(("days", "passes", "warns"), [(0.5, True, False), (2, True, True), (4, False, False)])
def test_a_kind_that_stops_coming_is_a_warning_and_then_a_refusal(days: float, passes: bool, warns: bool) -> None:
    log = shop(1, days=40)
    kept = [night for night, _ in nights(log, first=30, last=35)]
    *_, (_, tonight) = nights(log, first=36, last=36)
    stopped = tonight.where((tonight.kind != 1) | (tonight.second < tonight.second.max() - days * DAY))
    gate = judge(kept, replace(kept[-1], made_at=kept[-1].made_at + DAY, profile=profile(stopped)))["events"]
    assert (gate.passed, gate.warning) == (passes, warns)
    assert ("cart for " in gate.detail) == (days > 1)


def test_a_kind_that_never_comes_at_some_time_is_not_missed_then() -> None:
    log = shop(1, days=40)
    log = log.where((log.kind != 1) | (log.second // DAY % 7 < 5))
    kept: list[KeptNight] = []
    for night, _ in nights(log, first=20, last=39):
        assert not judge(kept, night)["events"].refuses if kept else True
        kept.append(night)


def night_of(made_at: int = START, *, gone_users: float | None = None, **known: object) -> KeptNight:
    """A night of which only `known` is known."""
    return KeptNight(
        version="v", made_at=made_at, profile=LogProfile().model_copy(update=known), gone_users=gone_users
    )


def test_a_log_that_has_lost_its_times_is_refused() -> None:
    kept = [night_of(newest_event=START)]
    gate = judge(kept, night_of())["newest_event"]
    assert gate.refuses
    assert "the log has no times" in gate.detail
    assert "newest_event" not in judge([night_of()], night_of())


def test_a_fall_that_goes_on_does_not_become_usual() -> None:
    kept = [night_of(n_users=n_users) for n_users in (1000, 800, 640, 512, 410)]
    assert judge(kept, night_of(n_users=210))["users"].refuses
    assert not judge(kept, night_of(n_users=330))["users"].refuses


def test_gone_users_of_earlier_nights_never_double_the_limit() -> None:
    kept = [night_of(gone_users=0.25)]
    for _ in range(20):
        nights = [night_of(gone_users=share / 100) for share in range(101)]
        kept.append([night for night in nights if not judge(kept, night)["gone_users"].refuses][-1])
    assert max(night.gone_users or 0 for night in kept) == 0.5
    assert "as usual in the kept versions" in judge(kept, night_of(gone_users=0.5))["gone_users"].detail


def test_a_kind_that_came_a_few_nights_ago_is_missed_when_it_is_gone() -> None:
    old, new = {"view": 1.0}, {"view": 0.7, "purchase": 0.3}
    kept = [night_of(accepted=1000, events=old)] * 9 + [night_of(accepted=1000, events=new)] * 5
    assert judge(kept, night_of(accepted=1000, events=old))["events"].refuses
    assert not judge(kept, night_of(accepted=1000, events=new))["events"].refuses


def test_nights_that_were_accepted_as_stale_are_not_usual() -> None:
    good = [night_of(START + day * DAY, newest_event=START + day * DAY - 3600) for day in range(5)]
    stale = [
        replace(
            night_of(START + day * DAY, newest_event=START + 4 * DAY - 3600), accepted=frozenset({"newest_event"})
        )
        for day in range(5, 14)
    ]
    back = night_of(START + 14 * DAY, newest_event=START + 14 * DAY - 3600)
    kept = [*good, *stale, back]
    late = night_of(START + 18 * DAY + 3600, newest_event=START + 14 * DAY - 3600)
    assert judge(kept, late)["newest_event"].refuses
