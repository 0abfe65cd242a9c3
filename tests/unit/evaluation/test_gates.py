import numpy as np
import pytest

from recsys.config import EvaluateConfig, PublishConfig
from recsys.errors import ConfigError
from recsys.evaluation.gates import ACCEPTED, REFUSED, Gate, check_gates, check_metric, verdict

METRIC = "ndcg@20"
EVALUATE = EvaluateConfig(cutoffs=(20,), bootstrap=200)


def _values(mean, n=400):
    noise = np.random.default_rng(0).normal(0, 0.01, n)
    return mean + noise - noise.mean()


POPULAR = _values(0.07)


@pytest.fixture
def judge(evaluation_of):
    def run(mean=0.101, popular=POPULAR, serving=None, publish=None, evaluate=EVALUATE):
        return check_gates(
            model=evaluation_of("als", {METRIC: _values(mean)}),
            popular=None if popular is None else evaluation_of("popular", {METRIC: popular}),
            serving=serving,
            publish=publish or PublishConfig(),
            evaluate=evaluate,
        )

    return run


def test_the_first_version_needs_to_beat_popular_alone(judge):
    beats, drop = judge(popular=np.random.default_rng(1).permutation(_values(0.07)))
    assert beats.passed
    assert beats.detail.startswith("als beats popular on ndcg@20 by +0.0310 (95 % interval +0.0")
    assert drop == Gate("no_metric_drop", True, "no version serves yet")
    assert verdict((beats, drop)) == ACCEPTED


def test_a_model_below_popular_is_refused(judge):
    beats, drop = judge(mean=0.06)
    assert not beats.passed
    assert beats.detail.startswith(
        "als does not beat popular on ndcg@20: the difference is -0.0100 (95 % interval -0.0100"
    )
    assert verdict((beats, drop)) == REFUSED


def test_a_lead_that_may_be_chance_is_refused(judge):
    popular = np.random.default_rng(1).permutation(_values(0.1005))
    beats, _ = judge(popular=popular)
    assert not beats.passed
    assert beats.detail.startswith("als does not clearly beat popular on ndcg@20: +0.0005")
    assert "may be chance" in beats.detail


def test_without_resamples_the_mean_decides(judge):
    evaluate = EvaluateConfig(cutoffs=(20,), bootstrap=0)
    beats, _ = judge(evaluate=evaluate)
    assert beats.passed
    assert beats.detail == "als beats popular on ndcg@20 by +0.0310 (no interval: evaluate.bootstrap is 0)"
    assert not judge(mean=0.07, evaluate=evaluate)[0].passed


@pytest.mark.parametrize(
    ("serving", "passed", "detail"),
    [
        (0.104, False, "ndcg@20 0.1010 is 2.88 % below the serving version's 0.1040; at most 2 % is allowed"),
        (0.102, True, "ndcg@20 0.1010 is 0.98 % below the serving version's 0.1020; at most 2 % is allowed"),
        (0.1, True, "ndcg@20 0.1010 is 1 % above the serving version's 0.1000"),
        (0.0, True, "ndcg@20 0.1010 is above the serving version's 0.0000"),
    ],
)
def test_the_drop_gate_says_how_far_the_metric_fell(judge, serving, passed, detail):
    assert judge(serving={METRIC: serving})[1] == Gate("no_metric_drop", passed, detail)


def test_the_same_figure_is_no_drop_even_where_none_is_allowed(judge, evaluation_of):
    same = evaluation_of("als", {METRIC: _values(0.101)}).means()
    gate = judge(serving=same, publish=PublishConfig(max_metric_drop=0))[1]
    assert gate == Gate("no_metric_drop", True, "ndcg@20 0.1010 is the same as the serving version's 0.1010")


def test_a_serving_version_without_the_metric_loses_nothing(judge):
    gate = judge(serving={"recall@10": 0.5})[1]
    assert gate.passed
    assert gate.detail == "the serving version was not measured by ndcg@20, so there is nothing to lose"


def test_popular_is_not_asked_for_where_it_need_not_be_beaten(judge):
    gates = judge(popular=None, publish=PublishConfig(must_beat_popular=False))
    assert [gate.name for gate in gates] == ["no_metric_drop"]


def test_popular_that_must_be_beaten_must_be_there(judge):
    with pytest.raises(ConfigError, match="needs 'popular' to be evaluated"):
        judge(popular=None)
    with pytest.raises(ConfigError, match=r"needs 'popular' among evaluate\.baselines"):
        check_metric(PublishConfig(), EvaluateConfig(baselines=("item_knn",)))


@pytest.mark.parametrize(
    ("metric", "message"),
    [
        (
            "ndgc@20",
            r"publish\.metric: got 'ndgc@20', did you mean 'ndcg@20'\?; expected one of recall@20, .*hit_rate@20",
        ),
        ("ndcg@50", r"its k must be one of evaluate\.cutoffs"),
        ("novelty@20", r"got 'novelty@20'.* expected one of recall@20"),
    ],
)
def test_a_metric_that_cannot_judge_is_refused_with_those_that_can(metric, message):
    with pytest.raises(ConfigError, match=message):
        check_metric(PublishConfig(metric=metric), EVALUATE)
