from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recsys.engine.filters.recent import Recent


def fresh(size):
    return lambda: np.zeros(size, np.uint8)


def never():
    raise AssertionError("made again")


def test_a_value_is_made_once():
    recent = Recent(100_000)
    value = recent.get("a", fresh(10))
    assert recent.get("a", never) is value
    assert "a" in recent
    assert "b" not in recent


def test_what_was_asked_for_longest_ago_goes_first():
    recent = Recent(26_000)
    for name in "abac":
        recent.get(name, fresh(10_000))
    recent.get("a", never)
    recent.get("c", never)
    with pytest.raises(AssertionError, match="made again"):
        recent.get("b", never)


def test_memory_is_bounded_whatever_comes():
    recent = Recent(50_000)
    for number in range(1_000):
        recent.get(str(number), fresh(number * 37 % 20_000))
        assert 0 < recent.nbytes <= 50_000
    for number in range(1_000):
        recent.get(str(number), fresh(0))
    assert 40 < len(recent) < 50


def test_a_value_that_does_not_fit_alone_is_given_but_not_kept():
    recent = Recent(5_000)
    assert recent.get("large", fresh(6_000)).nbytes == 6_000
    assert len(recent) == 0
    recent.get("small", fresh(10))
    assert len(recent) == 1


def test_a_failure_leaves_nothing_behind():
    recent = Recent(5_000)
    with pytest.raises(AssertionError):
        recent.get("a", never)
    assert len(recent) == 0


def test_threads_may_share_one():
    recent = Recent(20_000)
    with ThreadPoolExecutor(8) as pool:
        names = [str(number % 30) for number in range(600)]
        sizes = list(pool.map(lambda name: recent.get(name, fresh(100 * int(name))).nbytes, names))
    assert sizes == [100 * int(name) for name in names]
    assert 0 < len(recent) * 1_024 < recent.nbytes <= 20_000
