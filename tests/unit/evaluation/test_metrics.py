from math import log2

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from recsys.errors import DataError
from recsys.evaluation.metrics import ACCURACY, diversity, mean_over_list, prefix_sums, self_information

# Three users, four places: hits at 1 and 3 of two relevant items; a hit at 4 of five; no hit of one.
HITS = np.array([[1, 0, 1, 0], [0, 0, 0, 1], [0, 0, 0, 0]], np.bool_)
N_RELEVANT = np.array([2, 5, 1])
CUTOFFS = (1, 2, 4)
SECOND, THIRD, FOURTH = 1 / log2(3), 1 / 2, 1 / log2(5)

HAND_WORKED = {
    "recall": [[1, 1 / 2, 1], [0, 0, 1 / 4], [0, 0, 0]],
    "recall_hits": [[1 / 2, 1 / 2, 1], [0, 0, 1 / 5], [0, 0, 0]],
    "precision": [[1, 1 / 2, 2 / 4], [0, 0, 1 / 4], [0, 0, 0]],
    "hit_rate": [[1, 1, 1], [0, 0, 1], [0, 0, 0]],
    "mrr": [[1, 1, 1], [0, 0, 1 / 4], [0, 0, 0]],
    "map": [[1, 1 / 2, (1 + 2 / 3) / 2], [0, 0, (1 / 4) / 4], [0, 0, 0]],
    "ndcg": [
        [1, 1 / (1 + SECOND), (1 + THIRD) / (1 + SECOND)],
        [0, 0, FOURTH / (1 + SECOND + THIRD + FOURTH)],
        [0, 0, 0],
    ],
}


@pytest.mark.parametrize("name", ACCURACY)
def test_hand_worked_table(name):
    values = ACCURACY[name](HITS, N_RELEVANT, CUTOFFS)
    assert values.dtype == np.float64
    assert_allclose(values, HAND_WORKED[name], rtol=1e-12)


# What each metric is, written as one would explain it: a list, a set of relevant items, a cut-off.
def _dcg(gains):
    return sum(gain / log2(place + 1) for place, gain in enumerate(gains, start=1))


def _n_hits(ranked, relevant, k):
    return len(set(ranked[:k]) & relevant)


NAIVE = {
    "recall": lambda ranked, relevant, k: _n_hits(ranked, relevant, k) / min(k, len(relevant)),
    "recall_hits": lambda ranked, relevant, k: _n_hits(ranked, relevant, k) / len(relevant),
    "precision": lambda ranked, relevant, k: _n_hits(ranked, relevant, k) / k,
    "hit_rate": lambda ranked, relevant, k: float(_n_hits(ranked, relevant, k) > 0),
    "mrr": lambda ranked, relevant, k: next((1 / i for i, it in enumerate(ranked[:k], 1) if it in relevant), 0.0),
    "map": lambda ranked, relevant, k: (
        sum(_n_hits(ranked, relevant, i) / i for i in range(1, min(k, len(ranked)) + 1) if ranked[i - 1] in relevant)
        / min(k, len(relevant))
    ),
    "ndcg": lambda ranked, relevant, k: (
        _dcg([item in relevant for item in ranked[:k]]) / _dcg([1] * min(k, len(relevant)))
    ),
}

WIDTH = 8
users = st.lists(
    st.tuples(
        st.lists(st.integers(0, 19), unique=True, max_size=WIDTH),
        st.sets(st.integers(0, 19), min_size=1, max_size=12),
    ),
    min_size=1,
    max_size=5,
)
cutoff_sets = st.sets(st.integers(1, WIDTH), min_size=1).map(sorted)


def _hits(rows):
    hits = np.zeros((len(rows), WIDTH), np.bool_)
    for row, (ranked, relevant) in enumerate(rows):
        hits[row, : len(ranked)] = [item in relevant for item in ranked]
    return hits, np.array([len(relevant) for _, relevant in rows])


@given(users, cutoff_sets)
@settings(max_examples=60, deadline=None)
def test_accuracy_is_what_the_naive_reference_says(rows, cutoffs):
    hits, n_relevant = _hits(rows)
    for name, metric in ACCURACY.items():
        expected = [[NAIVE[name](ranked, relevant, k) for k in cutoffs] for ranked, relevant in rows]
        assert_allclose(metric(hits, n_relevant, cutoffs), expected, rtol=1e-12, err_msg=name)


@given(users)
@settings(max_examples=40, deadline=None)
def test_bounds_and_order_of_the_metrics(rows):
    hits, n_relevant = _hits(rows)
    every = tuple(range(1, WIDTH + 1))
    values = {name: metric(hits, n_relevant, every) for name, metric in ACCURACY.items()}
    for name, table in values.items():
        assert ((table >= 0) & (table <= 1 + 1e-12)).all(), name
        assert ((table > 0) == (values["hit_rate"] > 0)).all(), name
    assert (values["recall"] >= values["recall_hits"]).all()
    assert (values["recall"] >= values["precision"]).all()
    for name in ("recall_hits", "mrr", "hit_rate"):
        assert (np.diff(values[name], axis=1) >= 0).all(), name


@given(st.integers(1, WIDTH), st.integers(1, 20))
@settings(max_examples=30, deadline=None)
def test_a_perfect_list_reaches_one_where_the_denominator_allows(k, n_relevant):
    hits = np.arange(WIDTH)[None, :] < n_relevant
    for name in ("recall", "ndcg", "map", "mrr", "hit_rate"):
        assert ACCURACY[name](hits, np.array([n_relevant]), [k]) == pytest.approx(1), name


def test_metrics_leave_their_input_alone():
    hits = HITS.copy()
    for metric in ACCURACY.values():
        metric(hits, N_RELEVANT, CUTOFFS)
    assert (hits == HITS).all()


@pytest.mark.parametrize("cutoffs", [(), (0, 2), (2, 1), (2, 2), (5,)])
def test_cutoffs_that_do_not_fit_are_refused(cutoffs):
    with pytest.raises(DataError, match="expected increasing numbers from 1 to 4"):
        prefix_sums(HITS, cutoffs)


def test_a_user_without_relevant_items_is_refused():
    with pytest.raises(DataError, match="without relevant items"):
        ACCURACY["recall"](HITS, np.array([2, 0, 1]), CUTOFFS)


INDICES = np.array([[0, 1, 2], [2, -1, -1], [-1, -1, -1]], np.int32)
FILLED = INDICES >= 0


def test_a_mean_over_a_short_list_is_over_what_it_holds():
    value = np.array([1.0, 3.0, 8.0])
    expected = [[1, 2, 4], [8, 8, 8], [np.nan] * 3]
    assert_allclose(mean_over_list(value, INDICES, FILLED, (1, 2, 3)), expected)


def test_self_information_is_one_bit_more_for_half_the_audience():
    assert_allclose(self_information(np.array([8, 4, 1, 0]), 8), [0, 1, 3, 3])


def test_diversity_by_hand():
    # Items 0 and 1 alike, item 2 at a right angle to both: of three pairs one has cosine 1, two have 0.
    vectors = np.array([[1, 0], [1, 0], [0, 1]], np.float32)
    expected = [[np.nan, 0, 2 / 3], [np.nan] * 3, [np.nan] * 3]
    assert_allclose(diversity(vectors, INDICES, FILLED, (1, 2, 3)), expected, atol=1e-12)


def test_diversity_of_opposite_and_zero_vectors():
    vectors = np.array([[1, 0], [-1, 0], [0, 0]], np.float32)
    assert_allclose(diversity(vectors, INDICES[:1], FILLED[:1], (2, 3)), [[2, 1 + 1 / 3]])


@given(st.integers(0, 2**32 - 1), st.lists(st.integers(0, WIDTH), min_size=1, max_size=4), cutoff_sets)
@settings(max_examples=40, deadline=None)
def test_diversity_is_what_all_pairs_say(seed, lengths, cutoffs):
    rng = np.random.default_rng(seed)
    vectors = rng.standard_normal((12, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    vectors[0] = 0
    indices = np.stack([rng.permutation(12)[:WIDTH] for _ in lengths]).astype(np.int32)
    filled = np.arange(WIDTH) < np.array(lengths)[:, None]
    measured = diversity(vectors, np.where(filled, indices, -1), filled, cutoffs)
    for row, length in enumerate(lengths):
        for column, k in enumerate(cutoffs):
            items = indices[row, : min(k, length)]
            cosines = [float(vectors[a] @ vectors[b]) for a in items for b in items if a != b]
            expected = 1 - np.mean(cosines) if cosines else np.nan
            assert_allclose(measured[row, column], expected, atol=1e-5)
