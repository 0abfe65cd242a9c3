from dataclasses import replace

import numpy as np
import pytest

from recsys.progress import silent
from recsys.retrieval import parameter_search
from recsys.retrieval.approximate_index import ApproximateIndex, SearchParameters, build_approximate
from recsys.retrieval.families.registry import FAMILIES
from recsys.retrieval.flat_index import FlatIndex
from recsys.retrieval.measurement import Sample, answered, recall
from recsys.retrieval.parameter_search import cheapest_parameters
from recsys.retrieval.proposals import count_found


@pytest.fixture(scope="module")
def index():
    items = np.random.default_rng(1).normal(size=(8000, 8)).astype(np.float32)
    return build_approximate(FAMILIES["ivf_sq8"], FlatIndex(items), seed=1, progress=silent)


@pytest.fixture(scope="module")
def tuning(index, sample):
    return answered(sample, index.exact)


@pytest.fixture(scope="module")
def sample():
    return Sample(np.random.default_rng(2).normal(size=(60, 8)).astype(np.float32))


def _recall(index, sample):
    return recall(index.search(sample.vectors, 100), index.exact.search(sample.vectors, 100))


def test_a_higher_target_takes_more_work_and_is_met(index, sample, tuning):
    tuned = [cheapest_parameters(index, tuning, target=target).found for target in (0.6, 0.9, 0.98)]
    for target, each in zip((0.6, 0.9, 0.98), tuned, strict=True):
        assert _recall(each, sample) >= target
    probes = [each.parameters.probes for each in tuned]
    assert probes == sorted(set(probes))
    costs = [each.estimated_microseconds(sample.vectors) for each in tuned]
    assert costs == sorted(costs)


def test_if_no_parameters_are_enough_the_largest_are_taken(index, tuning):
    """The hundred best by codes of one byte are not quite the hundred best, even in all cells."""
    family = replace(index.family, candidates=(1,))
    short_sighted = ApproximateIndex(family, index.structure, index.exact, parameters=index.parameters)
    found, enough = cheapest_parameters(short_sighted, tuning, target=1.0)
    assert not enough
    assert found.parameters == SearchParameters(index.structure.n_cells, 1)


def test_nothing_above_the_limit_is_tried(index, sample, tuning, monkeypatch):
    free = cheapest_parameters(index, tuning, target=0.9).found
    limit = free.estimated_microseconds(sample.vectors) * 0.95
    tried = []

    def told(index, *args, **options):
        tried.append(index.estimated_microseconds(sample.vectors))
        return count_found(index, *args, **options)

    monkeypatch.setattr(parameter_search, "count_found", told)
    found = cheapest_parameters(index, tuning, target=0.9, limit=limit).found
    assert 0 < found.estimated_microseconds(sample.vectors) <= limit
    assert tried
    assert max(tried) <= limit


def test_fewer_probes_than_a_trial_found_are_not_tried(index, tuning):
    free = cheapest_parameters(index, tuning, target=0.9).found
    more = free.parameters.probes * 2
    assert cheapest_parameters(index, tuning, target=0.9, least_probes=more).found.parameters.probes >= more


def test_exact_search_is_charged_for_every_dimension():
    vectors = np.ones((1000, 64), np.float32)
    assert FlatIndex(vectors).estimated_microseconds(vectors[:1]) == pytest.approx(50 + 9.6)


def test_an_approximation_is_charged_for_centres_cells_codes_and_candidates(index):
    """8 dimensions are 16 augmented ones; every cell is looked into, so that all 8,000 codes are compared."""
    n_cells, vectors = index.structure.n_cells, np.ones((3, 8), np.float32)
    cells = n_cells * (16 * 0.12 + 900)
    codes, candidates = 8_000 * 16 * 0.12, 500 * (120 + 8 * 0.8)
    estimated = index.with_parameters(SearchParameters(n_cells, 500)).estimated_microseconds(vectors)
    assert estimated == pytest.approx((50_000 + cells + codes + candidates) / 1000)
