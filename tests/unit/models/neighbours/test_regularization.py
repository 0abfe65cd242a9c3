import pytest

from recsys.models.neighbours.regularization import VALUES, climb, most_values


@pytest.mark.parametrize("peak", VALUES)
def test_the_climb_finds_the_peak_and_tries_no_value_beyond_its_fall(peak):
    at = VALUES.index(peak)
    tried = climb(lambda value: -abs(VALUES.index(value) - at), limit=len(VALUES))
    assert max(tried, key=lambda value: tried[value]) == peak
    assert len(tried) <= 5


def test_the_climb_ends_at_the_limit():
    assert list(climb(float, limit=1)) == [100]
    assert list(climb(float, limit=3)) == [100, 50, 250]


@pytest.mark.parametrize(("n_items", "values"), [(0, 6), (10_000, 6), (12_000, 3), (15_000, 1), (41_000, 0)])
def test_larger_catalogues_get_fewer_values(n_items, values):
    assert most_values(n_items) == values
