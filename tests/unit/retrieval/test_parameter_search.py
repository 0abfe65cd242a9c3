import numpy as np
import pytest

from recsys.progress import silent
from recsys.retrieval.cost_model import estimated_microseconds, exact_microseconds
from recsys.retrieval.faiss_approximate import Effort
from recsys.retrieval.faiss_families import build_family
from recsys.retrieval.faiss_index import FaissIndex
from recsys.retrieval.measurement import Sample
from recsys.retrieval.parameter_search import least_effort
from recsys.retrieval.recall import recall


@pytest.fixture(scope="module")
def index():
    items = np.random.default_rng(1).normal(size=(8000, 8)).astype(np.float32)
    return build_family("ivf_sq8", FaissIndex(items), seed=1, progress=silent)


@pytest.fixture(scope="module")
def sample():
    return Sample(np.random.default_rng(2).normal(size=(60, 8)).astype(np.float32))


def _recall(index, sample):
    return recall(index.search(sample.vectors, 100), index.exact.search(sample.vectors, 100))


def test_a_higher_target_takes_more_effort_and_is_met(index, sample):
    tuned = [least_effort(index, sample, target=target) for target in (0.6, 0.9, 0.98)]
    for target, each in zip((0.6, 0.9, 0.98), tuned, strict=True):
        assert _recall(each, sample) >= target
    probes = [each.effort.probes for each in tuned]
    assert probes == sorted(set(probes))
    costs = [estimated_microseconds(each, sample.vectors) for each in tuned]
    assert costs == sorted(costs)


def test_where_no_effort_is_enough_the_greatest_is_taken(index, sample, monkeypatch):
    monkeypatch.setattr("recsys.retrieval.parameter_search.surely_recalled", lambda *_: 0.5)
    assert least_effort(index, sample, target=0.9).effort.probes == index.n_cells


def test_exact_search_is_charged_for_every_dimension():
    assert exact_microseconds((1_000_000, 64)) == pytest.approx(50 + 9_600)


def test_an_approximation_is_charged_for_centres_cells_codes_and_candidates(index):
    """8 dimensions are 16 augmented ones; every cell is looked into, so that all 8,000 codes are compared."""
    all_cells = index.with_effort(Effort(index.n_cells, 500))
    cells = index.n_cells * (16 * 0.12 + 900)
    codes, candidates = 8_000 * 16 * 0.12, 500 * (120 + 8 * 0.8)
    vectors = np.ones((3, 8), np.float32)
    assert estimated_microseconds(all_cells, vectors) == pytest.approx((50_000 + cells + codes + candidates) / 1000)
