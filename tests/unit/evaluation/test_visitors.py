"""Visitors in figures: a planted pair of items is found from one click, by the model that knows it."""

from dataclasses import replace

import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.data.matrix import csr_from_pairs, empty_csr, presence
from recsys.data.splits.visitors import Visitors
from recsys.evaluation.visitors import score_visitors, summarise
from recsys.models.neighbours.item_knn import ItemKnnRecommender
from recsys.models.popularity import PopularityRecommender

N = 20


@pytest.fixture(scope="module")
def pairs(split_of):
    """Forty users, each with the items 2i and 2i + 1 of one i of 10."""
    return split_of([[2 * (user % 10), 2 * (user % 10) + 1] for user in range(40)], [], N).train


def visitors_with(n, items):
    row = np.arange(len(items), dtype=np.int32)
    first, other = np.array(items, np.int32), np.array(items, np.int32) + 1
    ones = np.ones(len(items), np.float32)
    history = csr_from_pairs(row, first, ones, (len(items), N))
    return Visitors(n, history, csr_from_pairs(row, other, ones, (len(items), N)), presence(history))


def test_one_click_is_enough_for_what_belongs_together(pairs):
    visitors = visitors_with(1, [0, 4, 18])
    assert score_visitors(ItemKnnRecommender.fit(pairs), visitors, "ndcg@5").tolist() == [1, 1, 1]
    popular = score_visitors(PopularityRecommender.fit(pairs), visitors, "hit_rate@5")
    assert popular.tolist() == [1, 1, 0]


def test_what_is_left_out_is_not_listed(pairs):
    visitors = visitors_with(1, [0])
    itself = Visitors(1, visitors.history, visitors.history, empty_csr((1, N)))
    hidden = Visitors(1, visitors.history, visitors.history, visitors.history)
    popular = PopularityRecommender.fit(pairs)
    assert score_visitors(popular, itself, "hit_rate@5").tolist() == [1]
    assert score_visitors(popular, hidden, "hit_rate@5").tolist() == [0]


def test_the_summary_has_a_row_per_number_of_known_items():
    visitors, evaluate = [visitors_with(1, [0, 2, 4]), visitors_with(2, [0, 2])], EvaluateConfig(split="last_n")
    scores = {"als": [np.array([1.0, 0.5, 0.0]), np.array([0.25, 0.25])], "popular": [np.zeros(3), np.zeros(2)]}
    found = summarise(visitors, scores, metric="ndcg@20", evaluate=evaluate)
    assert found is not None
    assert [(row.n_known, row.n_visitors, row.models["als"].mean) for row in found.known] == [
        (1, 3, 0.5),
        (2, 2, 0.25),
    ]
    first = found.known[0].models["als"]
    assert first.low is not None and first.high is not None and first.low < 0.5 < first.high
    assert "random" not in found.source
    assert summarise([], {}, metric="ndcg@20", evaluate=evaluate) is None


@pytest.mark.parametrize(
    ("gap", "words"),
    [
        (None, "in a random order because there are no times"),
        (86_400, "a pause of more than 1d"),
        (1_800, "training"),
    ],
)
def test_how_sessions_are_cut_is_told(gap, words):
    evaluate = EvaluateConfig(split="held_out_users")
    visitors = replace(visitors_with(1, [0]), session_gap=gap)
    found = summarise([visitors], {"als": [np.ones(1)]}, metric="n@1", evaluate=evaluate)
    assert found is not None and found.source.removesuffix(", because few are shorter").endswith(words)
