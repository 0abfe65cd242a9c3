import numpy as np
import pytest

from recsys.config import EvaluateConfig, PublishConfig
from recsys.errors import ConfigError
from recsys.evaluation.gates import ACCEPTED, REFUSED, Gate, check_gates, check_metric, verdict
from recsys.evaluation.serving_comparison import Paired, ServingComparison, ServingVersion, compare_with_serving
from recsys.evaluation.significance import Interval

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
            model=evaluation_of("als", {METRIC: _values(mean)}, coverage_at_20=0.2),
            popular=None if popular is None else evaluation_of("popular", {METRIC: popular}, coverage_at_20=0.1),
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
    assert (
        beats.detail
        == "als beats popular on ndcg@20 by +0.0310 (no interval: evaluate.bootstrap is 0)"
        + "; coverage@20 0.2000 against 0.1000"
    )
    assert not judge(mean=0.07, evaluate=evaluate)[0].passed


@pytest.mark.parametrize(
    ("n_users", "said"),
    [
        (1, " (over 1 user only: not reliable)"),
        (29, " to +0.5000, over 29 users only: not reliable)"),
        (30, " to +0.5000)"),
    ],
)
def test_a_lead_over_few_users_is_said_to_be_unreliable(evaluation_of, n_users, said):
    model, popular = (
        evaluation_of(name, {METRIC: np.full(n_users, mean)}) for name, mean in (("als", 1), ("popular", 0.5))
    )
    publish = PublishConfig(metric=METRIC, min_users=1)
    gate = check_gates(model=model, popular=popular, serving=None, publish=publish, evaluate=EVALUATE)[0]
    assert gate.passed
    assert gate.detail.endswith(said)


def test_with_too_few_users_popular_is_not_beaten_and_nothing_is_compared(evaluation_of, record_of):
    model, popular = (evaluation_of(name, {METRIC: np.full(29, mean)}) for name, mean in (("als", 1), ("popular", 0)))
    before = ServingVersion("v1", {METRIC: 0.1}, None)
    serving = compare_with_serving(record_of({METRIC: np.zeros(29)}), before, EVALUATE)
    few = "only 29 users could be evaluated, and a gate needs 30 (publish.min_users): "

    def decided(serving, **publish):
        asked = {"model": model, "popular": popular, "serving": serving, "evaluate": EVALUATE}
        return check_gates(publish=PublishConfig(metric=METRIC, **publish), **asked)

    first = decided(None)
    assert [(gate.name, gate.passed) for gate in first] == [("beats_popular", False), ("no_metric_drop", True)]
    assert first[0].detail.startswith(few)
    later = decided(serving)
    assert [gate.passed for gate in later] == [False, True, True]
    assert later[0].detail.startswith(few)
    assert "publish.min_users to less" in later[0].detail
    drops = decided(serving, must_beat_popular=False)
    assert [(gate.name, gate.passed, gate.warning) for gate in drops] == [
        ("no_metric_drop", True, True), ("no_coverage_drop", True, False),
    ]  # fmt: skip
    assert all(gate.detail == f"not compared with the serving version: {later[0].detail}" for gate in drops)
    assert [gate.passed for gate in decided(serving, max_metric_drop=1.0)] == [False, True, True]
    assert verdict(decided(serving, max_metric_drop=1.0, must_beat_popular=False)) == ACCEPTED
    assert verdict(decided(serving, min_users=29)) == ACCEPTED
    assert verdict(decided(None, must_beat_popular=False)) == ACCEPTED  # no gate has anything to decide


def test_a_version_that_was_evaluated_on_too_few_users_is_not_compared(judge, record_of):
    before = ServingVersion("v1", {METRIC: 0.9, "coverage@20": 0.9}, record_of({METRIC: np.ones(7)}))
    comparison = compare_with_serving(record_of({METRIC: np.zeros(400)}), before, EVALUATE)
    gates = judge(serving=comparison)
    assert verdict(gates) == ACCEPTED
    assert gates[1].warning
    assert "is over 7 users only, so it is not compared (publish.min_users = 30)" in gates[1].detail
    assert verdict(judge(serving=comparison, publish=PublishConfig(min_users=7))) == REFUSED


def test_a_refusal_names_the_key_that_asks(judge, stored):
    beats, drop = judge(mean=0.06, serving=stored({METRIC: 0.1}))[:2]
    assert beats.detail.endswith("; publish.must_beat_popular requires it")
    assert "publish.max_metric_drop" in drop.detail


def test_figures_of_another_protocol_are_not_compared(judge, record_of):
    record = record_of({METRIC: np.ones(200)})
    serving = ServingVersion("v1", {METRIC: 0.9, "coverage@20": 0.9}, record, {"split": "last_n", "last_n": 1})
    gates = judge(serving=compare_with_serving(record_of({METRIC: np.zeros(200)}), serving, EVALUATE))
    detail = "measured differently ([evaluate] has changed: split was last_n, is temporal), so it is not compared"
    assert gates[1:] == (
        Gate("no_metric_drop", True, f"ndcg@20: {detail}", warning=True),
        Gate("no_coverage_drop", True, f"coverage@20: {detail}"),
    )


@pytest.fixture
def stored(record_of):
    """A serving version of which only the stored metrics can be used."""

    def make(metrics, record=None, n_shared=0):
        rows = np.arange(n_shared, dtype=np.int32)
        serving = ServingVersion("v1", metrics, record)
        return ServingComparison(record_of({METRIC: [0.5]}), serving, rows, rows, not_paired=NOT_PAIRED)

    return make


NOT_PAIRED = "only 7 users were evaluated for both"
ALONE = f" (each version over its own users: {NOT_PAIRED})"


@pytest.mark.parametrize(
    ("serving", "passed", "detail"),
    [
        (
            0.104,
            False,
            "ndcg@20 0.1010 is 2.88 % below the serving version's 0.1040; at most 2 % is allowed"
            " (publish.max_metric_drop)",
        ),
        (
            0.102,
            True,
            "ndcg@20 0.1010 is 0.98 % below the serving version's 0.1020; at most 2 % is allowed"
            " (publish.max_metric_drop)",
        ),
        (0.1, True, "ndcg@20 0.1010 is 1 % above the serving version's 0.1000"),
        (0.0, True, "ndcg@20 0.1010 is above the serving version's 0.0000"),
    ],
)
def test_without_shared_users_the_stored_means_are_compared(judge, stored, serving, passed, detail):
    assert judge(serving=stored({METRIC: serving}))[1] == Gate("no_metric_drop", passed, detail + ALONE)


def test_the_same_figure_is_no_drop_even_where_none_is_allowed(judge, stored, evaluation_of):
    same = evaluation_of("als", {METRIC: _values(0.101)}).means()
    gate = judge(serving=stored(same), publish=PublishConfig(max_metric_drop=0))[1]
    assert gate.passed
    assert gate.detail == "ndcg@20 0.1010 is the same as the serving version's 0.1010" + ALONE


@pytest.mark.parametrize("metrics", [{"recall@10": 0.5}, {METRIC: None}])
def test_a_serving_version_without_the_metric_loses_nothing(judge, stored, metrics):
    gate = judge(serving=stored(metrics))[1]
    assert gate.passed
    assert gate.detail == "the serving version was not measured by ndcg@20, so nothing is compared"


def test_stored_coverage_may_not_fall_either(judge, stored):
    for before, passed in ((0.205, False), (0.203, True)):
        gate = judge(serving=stored({METRIC: 0.1, "coverage@20": before}))[2]
        assert (gate.name, gate.passed) == ("no_coverage_drop", passed)
        assert gate.detail.startswith(f"coverage@20 0.2000 is {100 * (1 - 0.2 / before):.2f} % below")


@pytest.fixture
def paired(record_of):
    """A serving version whose figures on the shared users are known."""

    def make(metric, before, difference):
        rows = np.arange(1200, dtype=np.int32)
        record = record_of({METRIC: [0.5]})
        both = {METRIC: Paired(0.1, Interval(0.01, 0.005, 0.015)), metric: Paired(before, Interval(*difference))}
        return ServingComparison(
            record, ServingVersion("v1", {METRIC: 0.9, "coverage@20": 0.9}, record), rows, rows, both
        )

    return make


@pytest.mark.parametrize(
    ("difference", "passed"),
    [
        ((-0.010, -0.0150, -0.0053), False),
        ((-0.010, -0.0150, -0.0052), True),
        ((-0.001, -0.0012, -0.0008), True),
        ((0.010, 0.0050, 0.0150), True),
        ((-0.0021, None, None), False),
        ((-0.0019, None, None), True),
    ],
)
def test_only_an_interval_that_lies_below_what_may_be_lost_refuses(judge, paired, difference, passed):
    gate = judge(serving=paired(METRIC, 0.1, difference))[1]
    assert (gate.name, gate.passed) == ("no_metric_drop", passed)


@pytest.mark.parametrize(("high", "warning"), [(-0.0021, True), (-0.0019, False)])
def test_a_loss_that_is_only_probable_is_a_warning(judge, paired, high, warning):
    gate = judge(serving=paired(METRIC, 0.1, (-0.004, -0.006, high)))[1]
    assert (gate.passed, gate.warning) == (True, warning)
    assert (", and the loss is probably larger" in gate.detail) is warning


def test_the_paired_gate_says_what_it_saw(judge, paired):
    metric, coverage = judge(serving=paired("coverage@20", 0.5, (-0.02, -0.025, -0.015)))[1:]
    assert metric.detail == (
        "ndcg@20 +0.0100 against the serving version's 0.1000 on the 1,200 users evaluated for both"
        " (95 % interval +0.0050 to +0.0150); at most 2 % may be lost (publish.max_metric_drop)"
        "; coverage@20 0.4800 against 0.5000"
    )
    assert not coverage.passed
    assert coverage.name == "no_coverage_drop"
    assert coverage.detail == (
        "coverage@20 -0.0200 against the serving version's 0.5000 on the 1,200 users evaluated for both"
        " (95 % interval -0.0250 to -0.0150); at most 2 % may be lost"
        " (publish.max_metric_drop), and the loss is certainly larger"
    )


def test_without_resamples_the_paired_gate_says_so(judge, paired):
    gate = judge(serving=paired(METRIC, 0.1, (-0.001, None, None)))[1]
    assert "(no interval: evaluate.bootstrap is 0)" in gate.detail


def test_coverage_is_judged_at_the_cutoff_that_could_be_paired(judge, paired):
    assert judge(serving=paired("coverage@5", 0.5, (0, 0, 0)))[2].detail.startswith("coverage@5 +0.0000")


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
