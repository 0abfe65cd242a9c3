from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from recsys.engine.filters.cache import LruCache


def fresh(size):
    return lambda: np.zeros(size, np.uint8)


def never():
    raise AssertionError("made again")


def test_a_value_is_made_once():
    cache = LruCache(100_000)
    value = cache.get("a", fresh(10))
    assert cache.get("a", never) is value
    assert "a" in cache
    assert "b" not in cache


def test_what_was_asked_for_longest_ago_goes_first():
    cache = LruCache(26_000)
    for name in "abac":
        cache.get(name, fresh(10_000))
    cache.get("a", never)
    cache.get("c", never)
    with pytest.raises(AssertionError, match="made again"):
        cache.get("b", never)


def test_memory_is_bounded_whatever_comes():
    cache = LruCache(50_000)
    for number in range(1_000):
        cache.get(str(number), fresh(number * 37 % 20_000))
        assert 0 < cache.nbytes <= 50_000
    for number in range(1_000):
        cache.get(str(number), fresh(0))
    assert 40 < len(cache) < 50


def test_a_value_that_does_not_fit_alone_is_given_but_not_kept():
    cache = LruCache(5_000)
    assert cache.get("large", fresh(6_000)).nbytes == 6_000
    assert len(cache) == 0
    cache.get("small", fresh(10))
    assert len(cache) == 1


def test_a_failure_leaves_nothing_behind():
    cache = LruCache(5_000)
    with pytest.raises(AssertionError):
        cache.get("a", never)
    assert len(cache) == 0


def test_threads_may_share_one():
    cache = LruCache(20_000)
    with ThreadPoolExecutor(8) as pool:
        names = [str(number % 30) for number in range(600)]
        sizes = list(pool.map(lambda name: cache.get(name, fresh(100 * int(name))).nbytes, names))
    assert sizes == [100 * int(name) for name in names]
    assert 0 < len(cache) * 1_024 < cache.nbytes <= 20_000
