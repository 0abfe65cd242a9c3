"""Known users in a session: what was before it, what is known of it, and what is to be found."""

import numpy as np
import pytest

from recsys.config import EvaluateConfig, PrepareConfig
from recsys.data.event_weights import EventWeights
from recsys.data.splits.running_sessions import running_sessions
from recsys.data.splits.split import make_split

DAY = 86_400
OLD = [("u", "a", 0), ("u", "b", 1), ("v", "a", 0), ("w", "c", 0)]


def newest(user, items, at):
    return [(user, item, at + place) for place, item in enumerate(items)]


def sessions_in(log, *, weights=None, n_users=10, **settings):
    """[(stored and known items with their weights, known ids, ids to be found, ids left out)] of every user."""
    weights = weights or EventWeights()
    evaluate = EvaluateConfig(**{"holdout": "1d", **settings})
    split = make_split(log, evaluate, prepare=PrepareConfig(), weights=weights)
    found = running_sessions(log, split, evaluate, weights=weights, n_users=n_users)
    ids = split.train.items

    def names(positions):
        return "".join(ids.decode(positions))

    rows = zip(found.history, found.known, found.relevant, found.left_out, strict=True)
    found = [
        (dict(zip(names(h.indices), h.data.tolist(), strict=True)), names(known), names(r.indices), names(o.indices))
        for h, known, r, o in rows
    ]
    return sorted(found, key=lambda row: row[1])


def logged(make_log, *sessions):
    """`OLD`, the sessions, and a day that is held out: users u and v with items they do not have yet."""
    rows = [*OLD, *(row for session in sessions for row in session)]
    return make_log([*rows, ("w", "a", 20 * DAY), ("w", "b", 20 * DAY)])


def test_half_of_the_newest_session_is_known_up_to_three_items(make_log):
    log = logged(make_log, newest("u", "cdefgh", 9 * DAY), newest("v", "dcb", 8 * DAY), newest("w", "d", 8 * DAY))
    first, second = sessions_in(log)
    assert first[1:] == ("cde", "fgh", "abcde")
    assert first[0] == dict.fromkeys("abcde", 1.0)
    assert second[1:] == ("d", "bc", "ad")


def test_seen_items_are_not_to_be_found_unless_they_are_measured(make_log):
    log = logged(make_log, newest("u", "cdab", 9 * DAY), newest("v", "bcad", 9 * DAY))
    ((_, known, to_find, _),) = [row for row in sessions_in(log) if "b" in row[1]]
    assert (known, to_find) == ("bc", "d")
    assert all(row[1] != "cd" for row in sessions_in(log))
    again = sessions_in(log, exclude_seen=False)
    assert ("cd", "ab", "") in [row[1:] for row in again]


def test_the_history_is_weighed_at_the_start_of_the_session_and_the_session_in_full(make_log):
    rows = [("u", "a", 0), ("u", "b", 2 * DAY), ("u", "c", 2 * DAY), *newest("u", "bdef", 4 * DAY)]
    log = make_log([*rows, *newest("w", "abcdef", 0), ("w", "d", 20 * DAY), ("u", "g", 20 * DAY), ("w", "g", 0)])
    (row,) = sessions_in(log, weights=EventWeights(half_life_days=2), exclude_seen=False)
    assert row[0] == pytest.approx({"a": 0.25, "b": 1.5, "c": 0.5, "d": 1.0}, rel=1e-4)
    assert row[1:3] == ("bd", "ef")


def test_nothing_of_the_holdout_is_looked_at(make_log):
    sessions = (newest("u", "cdef", 9 * DAY), newest("v", "dcb", 8 * DAY))
    before = sessions_in(logged(make_log, *sessions))
    later = make_log(
        [*OLD, *sessions[0], *sessions[1], *[("w", item, 20 * DAY) for item in "ab"], *newest("u", "zxb", 20 * DAY)]
    )
    assert sessions_in(later) == before
    of_last = make_log([*OLD, *sessions[0], *newest("v", "dcb", 8 * DAY), *newest("w", "abd", 8 * DAY)])
    found = {known + to_find for _, known, to_find, _ in sessions_in(of_last, split="last_n")}
    assert found == {"cde", "dc", "ab"}


def test_people_without_a_history_and_logs_without_times_have_none(make_log):
    log = logged(make_log, newest("u", "cd", 9 * DAY), newest("x", "abcd", 9 * DAY))
    assert [row[1] for row in sessions_in(log)] == ["c"]
    untimed = make_log([*OLD, *newest("w", "ab", 0), *newest("u", "cdef", 0), *newest("v", "fed", 0)], timed=False)
    assert sessions_in(untimed, split="last_n") == []


def test_up_to_that_many_users_and_each_with_their_emphasis(make_log):
    users = [f"u{at}" for at in range(20)]
    rows = [(user, item, 0) for user in users for item in "ab"]
    rows += [row for user in users for row in newest(user, "cde", 5 * DAY)]
    log = make_log([*rows, ("z", "f", 0), ("z", "a", 9 * DAY)])
    evaluate = EvaluateConfig(holdout="1d")
    split = make_split(log, evaluate, prepare=PrepareConfig(), weights=EventWeights())
    found = running_sessions(log, split, evaluate, weights=EventWeights(), n_users=7)
    assert len(found) == found.history.shape[0] == 7
    assert found.emphasis(1) is None
    np.testing.assert_allclose(found.emphasis(4).reshape(7, 3), [[0.5, 0.5, 2]] * 7)
