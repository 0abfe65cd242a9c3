from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pyarrow as pa
import pytest

from recsys.data.id_map import IdMap
from recsys.data.items import Items
from recsys.engine.filters import FilterCache, cache, compile_filter, parse_filter
from recsys.errors import FilterError


def test_masks_are_those_of_compiling(shop):
    filters = FilterCache(shop)
    for text in ("price < 20", "not price < 20", "price < 20"):
        mask = filters.mask(text)
        np.testing.assert_array_equal(mask, compile_filter(parse_filter(text), shop))
        assert mask.dtype == np.bool_
        assert not mask.flags.writeable
    assert len(filters) == 2


def test_what_was_asked_for_before_is_not_compiled_again(shop, monkeypatch):
    filters = FilterCache(shop)
    filters.mask("price < 20")
    monkeypatch.setattr(cache, "compile_filter", None)
    assert filters.mask("price < 20").sum() == 3


def test_the_filter_asked_for_longest_ago_goes_first(shop, monkeypatch):
    monkeypatch.setattr(cache, "_MAX_FILTERS", 2)
    filters = FilterCache(shop)
    for text in ("price < 1", "price < 2", "price < 1", "price < 3"):
        filters.mask(text)
    assert len(filters) == 2
    monkeypatch.setattr(cache, "compile_filter", None)
    filters.mask("price < 1")
    with pytest.raises(TypeError):
        filters.mask("price < 2")


def test_memory_is_bounded_by_the_number_of_items(monkeypatch):
    monkeypatch.setattr(cache, "_MAX_BYTES", 1_000)
    ids, _ = IdMap.of([f"{number:04}" for number in range(2_000)])
    filters = FilterCache(Items(ids, pa.table({"n": np.arange(2_000)})))
    for bound in range(10):
        assert filters.mask(f"n < {bound}").sum() == bound
    assert len(filters) == 3


def test_a_filter_that_is_refused_is_not_kept(shop):
    filters = FilterCache(shop)
    with pytest.raises(FilterError):
        filters.mask("price < 'x'")
    assert len(filters) == 0


def test_threads_may_share_one(shop, monkeypatch):
    monkeypatch.setattr(cache, "_MAX_FILTERS", 3)
    filters, texts = FilterCache(shop), [f"price < {bound}" for bound in range(8)] * 20
    with ThreadPoolExecutor(8) as pool:
        counts = list(pool.map(lambda text: int(filters.mask(text).sum()), texts))
    assert counts == [int(compile_filter(parse_filter(text), shop).sum()) for text in texts]
    assert len(filters) == 3
