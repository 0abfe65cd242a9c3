from math import log2

import numpy as np
import pytest
from numpy.testing import assert_allclose

from recsys.errors import DataError, ModelError
from recsys.evaluation.evaluator import check_answer, evaluate, score_lists
from recsys.evaluation.metrics import ACCURACY

# Four users of training, two evaluated. Items 0 to 4 have 4, 2, 1, 1 and 1 users.
TRAIN = [[0, 1], [0], [0, 1, 2], [0, 3, 4]]
HOLDOUT = [[2, 3], [4]]
LISTS = [[2, 4, 3], [1]]
VECTORS = np.array([[1, 0], [0, 2], [3, 0], [0, 5], [4, 0]], np.float32)


@pytest.fixture
def split(split_of):
    return split_of(TRAIN, HOLDOUT, 5)


def test_every_metric_by_hand(split, listed):
    result = evaluate(listed("als", LISTS), split, cutoffs=(3, 1), item_vectors=VECTORS)
    # The histories' mean popularity is (4 + 2) / 2 for one user and 4 for the other: 3.5 over both.
    expected = {
        "recall@1": [1, 0],
        "recall@3": [1, 0],
        "recall_hits@1": [1 / 2, 0],
        "recall_hits@3": [1, 0],
        "ndcg@1": [1, 0],
        "ndcg@3": [(1 + 1 / 2) / (1 + 1 / log2(3)), 0],
        "precision@1": [1, 0],
        "precision@3": [2 / 3, 0],
        "map@1": [1, 0],
        "map@3": [(1 + 2 / 3) / 2, 0],
        "mrr@1": [1, 0],
        "mrr@3": [1, 0],
        "hit_rate@1": [1, 0],
        "hit_rate@3": [1, 0],
        "novelty@1": [2, 1],
        "novelty@3": [2, 1],
        "diversity@3": [2 / 3, np.nan],
        "popularity_bias@1": [1 / 3.5, 2 / 3.5],
        "popularity_bias@3": [1 / 3.5, 2 / 3.5],
    }
    assert list(result.per_user) == list(expected)
    for metric, values in expected.items():
        assert_allclose(result.per_user[metric], values, atol=1e-6, err_msg=metric)
    assert result.overall == {"coverage@1": 2 / 5, "coverage@3": 4 / 5}
    assert (result.name, result.n_users, result.n_short) == ("als", 2, 1)


@pytest.mark.parametrize("name", ACCURACY)
def test_lists_are_scored_by_one_metric_as_a_whole_evaluation_scores_them(split, listed, answer_of, name):
    whole = evaluate(listed("als", LISTS), split, cutoffs=(1, 3))
    for k in (1, 3):
        alone = score_lists(answer_of([row[:k] for row in LISTS], k), split.holdout, f"{name}@{k}")
        assert_allclose(alone, whole.per_user[f"{name}@{k}"])


def test_the_first_places_of_every_list_are_kept(split, listed):
    result = evaluate(listed("als", LISTS), split, cutoffs=(3,))
    assert result.lists.tolist() == [[2, 4, 3], [1, -1, -1]]
    assert evaluate(listed("als", LISTS), split, cutoffs=(3,), kept_places=2).lists.tolist() == [[2, 4], [1, -1]]


def test_coverage_counts_the_items_that_can_be_listed(split_of, listed):
    split = split_of(TRAIN, HOLDOUT, 8)  # three items without a training user
    coverage = evaluate(listed("als", LISTS), split, cutoffs=(1, 3)).overall
    assert coverage == {"coverage@1": 2 / 5, "coverage@3": 4 / 5}


def test_means_are_over_the_users_for_whom_the_metric_exists(split, listed):
    means = evaluate(listed("als", LISTS), split, cutoffs=(3,), item_vectors=VECTORS).means()
    assert means["precision@3"] == pytest.approx(1 / 3)
    assert means["diversity@3"] == pytest.approx(2 / 3)
    assert means["coverage@3"] == 4 / 5


def test_empty_lists_miss_everything_and_have_no_novelty(split, listed):
    result = evaluate(listed("mute", [[], []]), split, cutoffs=(2,))
    assert result.means()["recall@2"] == 0
    assert np.isnan(result.means()["novelty@2"])
    assert "diversity@2" not in result.per_user


def test_batches_change_nothing(split_of, listed):
    rng = np.random.default_rng(0)
    n_items = 12
    sets = [rng.permutation(n_items) for _ in range(25)]
    split = split_of([items[:3] for items in sets], [items[3:6] for items in sets], n_items)
    lists = [rng.permutation(items[3:])[: rng.integers(0, 9)].tolist() for items in sets]
    vectors = rng.standard_normal((n_items, 3)).astype(np.float32)
    whole = evaluate(listed("als", lists), split, cutoffs=(2, 5), item_vectors=vectors)
    model, heard = listed("als", lists), []
    parts = evaluate(
        model,
        split,
        cutoffs=(2, 5),
        item_vectors=vectors,
        scores_per_batch=4 * n_items,
        progress=lambda stage, done, total: heard.append((stage, done, total)),
    )
    assert model.asked == [4, 4, 4, 4, 4, 4, 1]
    assert heard[0] == ("evaluate als", 4, 25)
    assert heard[-1] == ("evaluate als", 25, 25)
    assert parts.overall == whole.overall
    assert parts.n_short == whole.n_short
    assert np.array_equal(parts.lists, whole.lists)
    for band, table in whole.by_band.items():
        for metric, values in table.items():
            assert_allclose(parts.by_band[band][metric], values, err_msg=f"{metric} of {band}")
    for metric, values in whole.per_user.items():
        assert_allclose(parts.per_user[metric], values, err_msg=metric)


@pytest.mark.parametrize(
    ("lists", "what"), [([[1], [1]], "left out"), ([[2, 2], [1]], "same item twice"), ([[5], [1]], "items 1 to 5")]
)
def test_a_model_that_answers_wrongly_is_named(split, listed, lists, what):
    with pytest.raises(ModelError, match=f"careless: .*{what}"):
        evaluate(listed("careless", lists), split, cutoffs=(2,))


def test_nobody_to_evaluate_is_an_error_that_says_why(split_of, listed):
    split = split_of(TRAIN, [], 5)
    object.__setattr__(split, "dropped_users", {"new_user": 7})
    with pytest.raises(DataError, match="no user can be evaluated; left out: 7 new_user"):
        evaluate(listed("als", LISTS), split, cutoffs=(2,))


def test_vectors_of_other_items_are_refused(split, listed):
    with pytest.raises(DataError, match="4 rows, expected 5"):
        evaluate(listed("als", LISTS), split, cutoffs=(2,), item_vectors=VECTORS[:4])


def test_an_honest_answer_passes(answer_of, rows_of):
    check_answer("als", answer_of([[2, 0], [1], []], 2), rows_of([[1], [2], [0, 1, 2]], 3), 2)


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ([[2, 1], [0]], r"als: recommended an item that is left out, because the user has seen it, to 1 of 2 users"),
        ([[0, 0], [2, 2]], r"als: recommended the same item twice to 2 of 2 users"),
        ([[3], [0]], r"als: recommended items 0 to 3, expected 0 to 2"),
    ],
)
def test_a_wrong_answer_is_refused_by_the_models_name(answer_of, rows_of, lists, message):
    with pytest.raises(ModelError, match=message):
        check_answer("als", answer_of(lists, 2), rows_of([[1], []], 3), 2)


def test_padding_counted_as_an_answer_is_refused(answer_of, rows_of):
    with pytest.raises(ModelError, match="items -1 to 0"):
        check_answer("als", answer_of([[0, -1]], 2), rows_of([[]], 3), 2)


@pytest.mark.parametrize("lists", [[[0, 2]], [[0], [0], [0]]])
def test_answers_of_another_shape_are_refused(answer_of, rows_of, lists):
    with pytest.raises(ModelError, match=r"expected \(2, 3\)"):
        check_answer("als", answer_of(lists, 2), rows_of([[1], []], 3), 3)
