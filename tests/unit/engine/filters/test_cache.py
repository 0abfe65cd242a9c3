import numpy as np
import pytest

from recsys.engine.filters import FilterCache, SearchCache, compile_filter, parse_filter
from recsys.errors import FilterError
from recsys.retrieval.exact import ExactSearch


def test_masks_are_those_of_compiling(shop):
    filters = FilterCache(shop)
    for text in ("price < 20", "not price < 20", "price < 20"):
        mask = filters.mask(text)
        np.testing.assert_array_equal(mask, compile_filter(parse_filter(text), shop))
        assert mask.dtype == np.bool_
        assert not mask.flags.writeable
    assert len(filters) == 2


def test_what_was_asked_for_before_is_not_compiled_again(shop):
    filters = FilterCache(shop)
    assert filters.mask("price < 20") is filters.mask("price < 20")


def test_a_filter_that_is_refused_is_not_kept(shop):
    filters = FilterCache(shop)
    with pytest.raises(FilterError):
        filters.mask("price < 'x'")
    assert len(filters) == 0


def test_memory_is_bounded(shop):
    filters = FilterCache(shop, max_bytes=5_000)
    for bound in range(50):
        assert filters.mask(f"price < {bound}").sum() == compile_filter(parse_filter(f"price < {bound}"), shop).sum()
    assert len(filters) == 4


def test_items_are_gathered_once(shop, rng_vectors):
    gathered = []

    def gather(positions):
        gathered.append(positions.tolist())
        return rng_vectors[positions]

    searches = SearchCache(ExactSearch(rng_vectors), gather, factors=3)
    mask = compile_filter(parse_filter("price < 20"), shop)
    for _ in range(3):
        found = searches.for_filter("price < 20", mask).search(rng_vectors[:2], 10)
        assert [sorted(row.tolist()) for row, _ in found.rows()] == [[0, 2, 5], [0, 2, 5]]
    assert gathered == [[0, 2, 5]]
    assert len(searches) == 1


@pytest.fixture
def rng_vectors():
    return np.random.default_rng(1).normal(size=(6, 3)).astype(np.float32)
