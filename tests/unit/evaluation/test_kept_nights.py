import numpy as np
import pytest

from recsys.data.profile import LogProfile
from recsys.evaluation.kept_nights import (
    MIN_COURSE_NIGHTS,
    Comparable,
    Course,
    KeptNight,
    Night,
    expected_next,
    find_comparable,
)


def test_a_line_goes_on_and_a_sale_does_not_move_it() -> None:
    assert expected_next([10, 20, 30, 40, 50]) == pytest.approx(60)
    assert expected_next([100, 100, 100, 100, 100, 100, 300]) == pytest.approx(100)
    assert expected_next([1.0] * (MIN_COURSE_NIGHTS - 1)) is None


def test_three_of_fourteen_wild_nights_do_not_move_it() -> None:
    for at in range(12):
        values = np.full(14, 50.0)
        values[at : at + 3] = 1e6
        assert expected_next(values.tolist()) == pytest.approx(50)


def _kept(version: str, n_users: int | None, **more: object) -> KeptNight:
    known = LogProfile(n_users=n_users, n_items=100, accepted=n_users and 10 * n_users)
    return KeptNight(version=version, made_at=0, profile=known.model_copy(update=more))


def _found(kept: list[KeptNight], now: KeptNight) -> Comparable:
    return find_comparable(Night(profile=now.profile, now=0), Course(tuple(kept)))


def test_a_log_like_the_serving_versions_is_compared_with_it() -> None:
    kept = [_kept("v1", 1000), _kept("v2", 900)]
    for n_users in (800, 900, 1100):
        assert _found(kept, _kept("now", n_users)) == Comparable(kept[1])


def test_after_a_night_that_lost_its_customers_the_last_one_like_tonight_is_taken() -> None:
    kept = [_kept("v1", 3000), _kept("v2", 3300), _kept("v3", 668)]
    found = _found(kept, _kept("now", 3341))
    assert found == Comparable(kept[1], "its log has 668 users, tonight's 3,341")


def test_without_such_a_version_nothing_is_compared_if_the_logs_are_far_apart() -> None:
    assert _found([_kept("v1", 668)], _kept("now", 3341)).night is None
    serving = _kept("v1", 1000)
    assert _found([serving], _kept("now", 1400)) == Comparable(serving)


def test_a_kind_of_event_that_came_back_is_another_log() -> None:
    whole = {"view": 0.9, "buy": 0.1}
    kept = [_kept("v1", 1000, events=whole), _kept("v2", 1000, events={"view": 1.0})]
    found = _found(kept, _kept("now", 1000, events=whole))
    assert found == Comparable(kept[0], "its log has other kinds of events")


def test_unknown_counts_decide_nothing() -> None:
    old = _kept("v1", None)
    assert _found([old], _kept("now", 1000)) == Comparable(old)
