import numpy as np
import pytest

from recsys.config import EvaluateConfig
from recsys.errors import DataError
from recsys.evaluation.comparison import Estimate, compare
from recsys.evaluation.significance import mean_interval, paired_difference

EVALUATE = EvaluateConfig(cutoffs=(10,), bootstrap=50, seed=3)
A, B = np.random.default_rng(0).random((2, 40))


def _rng():
    return np.random.default_rng(EVALUATE.seed)


def test_figures_are_those_of_each_model_alone_and_differences_are_paired(evaluation_of):
    models, differences = compare(
        [evaluation_of("als", {"ndcg@10": A}), evaluation_of("popular", {"ndcg@10": B})], EVALUATE
    )
    settings = {"samples": 50, "confidence": 0.95}
    for name, values in (("als", A), ("popular", B)):
        expected = mean_interval(values, **settings, rng=_rng())._asdict()
        assert models[name]["ndcg@10"].to_dict() == pytest.approx(expected)
    expected = paired_difference(A, B, **settings, rng=_rng())._asdict()
    ((name, table),) = differences.items()
    assert name == "als minus popular"
    assert {metric: estimate.to_dict() for metric, estimate in table.items()} == {"ndcg@10": pytest.approx(expected)}


def test_overall_metrics_have_no_interval_and_stand_in_their_place(evaluation_of):
    models, differences = compare(
        [
            evaluation_of("als", {"ndcg@10": A, "novelty@10": A}, coverage_at_10=0.5),
            evaluation_of("popular", {"ndcg@10": B, "novelty@10": B}, coverage_at_10=0.125),
        ],
        EVALUATE,
    )
    assert list(models["als"]) == ["ndcg@10", "coverage@10", "novelty@10"]
    assert models["als"]["coverage@10"] == Estimate(0.5)
    assert differences["als minus popular"]["coverage@10"] == Estimate(0.375)


def test_a_metric_that_some_users_lack_says_how_many_have_it(evaluation_of):
    models, _ = compare(
        [evaluation_of("als", {"novelty@10": [1.0, 3.0, np.nan], "diversity@10": [np.nan] * 3})], EVALUATE
    )
    assert models["als"]["novelty@10"].users == 2
    assert models["als"]["novelty@10"].mean == 2
    assert models["als"]["diversity@10"] == Estimate(users=0)
    assert models["als"]["diversity@10"].to_dict() == {"users": 0}


def test_evaluations_that_cannot_be_compared_are_refused(evaluation_of):
    als = evaluation_of("als", {"ndcg@10": A})
    with pytest.raises(DataError, match="all with different names"):
        compare([als, als], EVALUATE)
    with pytest.raises(DataError, match="at least one"):
        compare([], EVALUATE)
    for other in (evaluation_of("popular", {"ndcg@10": B[:5]}), evaluation_of("popular", {"ndcg@20": B})):
        with pytest.raises(DataError, match="als and popular were not evaluated on the same users and metrics"):
            compare([als, other], EVALUATE)
