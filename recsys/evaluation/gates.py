"""Gates: conditions that a new version must meet before it is published."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from statistics import NormalDist

import numpy as np

from recsys.config import EvaluateConfig, PublishConfig
from recsys.errors import ConfigError
from recsys.evaluation.definitions import accuracy_names, coverage_of
from recsys.evaluation.number_format import count, figure, percent
from recsys.evaluation.results import Evaluation
from recsys.evaluation.serving_comparison import ServingComparison
from recsys.evaluation.significance import MIN_TRUSTED_USERS, Interval, paired_difference
from recsys.suggestions import nearest_name

ACCEPTED = "accepted"
REFUSED = "refused"

REFUSING_CONFIDENCE = 0.999
"""A version that lost nothing is refused by chance in one of two thousand comparisons; with 95 % in one of forty.

Every night makes two of them.
"""

NO_INTERVAL = "no interval: evaluate.bootstrap is 0"


@dataclass(frozen=True)
class Gate:
    """One condition: its name, whether it is met, and a sentence with the values.

    `accepted`: it is not met, and was accepted on purpose. `warning`: it is met, but people should look at it.
    """

    name: str
    passed: bool
    detail: str
    accepted: bool = False
    warning: bool = False

    @property
    def refuses(self) -> bool:
        """Whether it keeps the version from being published."""
        return not (self.passed or self.accepted)


def check_gates(
    *,
    model: Evaluation,
    popular: Evaluation | None,
    serving: ServingComparison | None,
    publish: PublishConfig,
    evaluate: EvaluateConfig,
) -> tuple[Gate, ...]:
    """Decide on `model`, the evaluation of a new version, by `publish.metric`.

    `popular`: most-popular on the same split, needed unless `publish.must_beat_popular` is off. `serving`: the new
    version compared with the serving one, None if none serves.
    Raises ConfigError if the metric was not computed or most-popular was not evaluated.
    """
    check_metric(publish, evaluate)
    if (few := too_few_users(model.n_users, publish)) is not None:
        return _undecided(few, serving, publish)
    gates = [_popular_gate(model, popular, publish, evaluate)] if publish.must_beat_popular else []
    if serving is None:
        return (*gates, Gate("no_metric_drop", True, "no version serves yet"))
    name = _coverage_name(serving, publish)
    metric = _drop_gate("no_metric_drop", publish.metric, model, serving, publish, evaluate)
    coverage = _drop_gate("no_coverage_drop", name, model, serving, publish, evaluate)
    return (*gates, replace(metric, detail=metric.detail + _coverage_change(name, model, serving)), coverage)


def too_few_users(n_users: int, publish: PublishConfig) -> str | None:
    """Why nothing can be decided over `n_users` evaluated users, and what to do; None if they are enough."""
    if n_users >= publish.min_users:
        return None
    users = f"{count(n_users)} user{'' if n_users == 1 else 's'}"
    return (
        f"only {users} could be evaluated, and a gate needs {count(publish.min_users)} (publish.min_users): hold out"
        " more (evaluate.holdout), or set publish.min_users to less"
    )


def _undecided(few: str, serving: ServingComparison | None, publish: PublishConfig) -> tuple[Gate, ...]:
    """The gates over too few users: most-popular is not beaten, and nothing is compared with the serving version.

    A loss that nobody can measure is a warning, not a refusal: otherwise a small shop could never publish again.
    """
    gates = [Gate("beats_popular", False, few)] if publish.must_beat_popular else []
    if serving is None:
        return (*gates, Gate("no_metric_drop", True, "no version serves yet"))
    if publish.max_metric_drop >= 1:
        detail, warning = "any loss is allowed (publish.max_metric_drop = 1)", False
    else:
        detail, warning = f"not compared with the serving version: {few}", not publish.must_beat_popular
    drops = ("no_metric_drop", "no_coverage_drop")
    return (*gates, *(Gate(name, True, detail, warning=warning and not at) for at, name in enumerate(drops)))


def check_metric(publish: PublishConfig, evaluate: EvaluateConfig) -> None:
    """Raise ConfigError if the gates could not work with these settings. Checks only the settings."""
    known = accuracy_names(sorted(set(evaluate.cutoffs)))
    if publish.metric not in known:
        raise ConfigError(
            f"publish.metric: got {publish.metric!r}{_nearest(publish.metric, known)}; expected one of "
            f"{', '.join(known)} (its k must be one of evaluate.cutoffs)"
        )
    if publish.must_beat_popular and evaluate.baselines is not None and "popular" not in evaluate.baselines:
        raise ConfigError("publish.must_beat_popular: true needs 'popular' among evaluate.baselines")


def verdict(gates: Sequence[Gate]) -> str:
    """REFUSED if any gate refuses, else ACCEPTED."""
    return REFUSED if any(gate.refuses for gate in gates) else ACCEPTED


def _nearest(metric: str, known: Sequence[str]) -> str:
    nearest = nearest_name(metric, known)
    return f", did you mean {nearest!r}?" if nearest else ""


def _popular_gate(
    model: Evaluation, popular: Evaluation | None, publish: PublishConfig, evaluate: EvaluateConfig
) -> Gate:
    """Passes if the whole interval of the paired difference is above zero; without an interval, if the mean is."""
    if popular is None:
        raise ConfigError("publish.must_beat_popular: true needs 'popular' to be evaluated; it was not")
    difference = paired_difference(
        model.per_user[publish.metric],
        popular.per_user[publish.metric],
        samples=evaluate.bootstrap,
        confidence=evaluate.confidence,
        rng=np.random.default_rng(evaluate.seed),
    )
    passed = (difference.mean if difference.low is None else difference.low) > 0
    certainty = _certainty(difference, model.n_users, evaluate)
    coverage = coverage_of(publish.metric)
    detail = _popular_detail(model.name, publish.metric, difference, certainty)
    detail += _against(coverage, model.overall.get(coverage), popular.overall.get(coverage))
    return Gate("beats_popular", passed, detail if passed else f"{detail}; publish.must_beat_popular requires it")


def _popular_detail(name: str, metric: str, difference: Interval, certainty: str) -> str:
    mean = figure(difference.mean, sign=True)
    if difference.mean <= 0:
        return f"{name} does not beat popular on {metric}: the difference is {mean} ({certainty})"
    if difference.low is not None and difference.low <= 0:
        return f"{name} does not clearly beat popular on {metric}: {mean} may be chance ({certainty})"
    return f"{name} beats popular on {metric} by {mean} ({certainty})"


def _certainty(difference: Interval, n_users: int, evaluate: EvaluateConfig) -> str:
    """The text in brackets after a difference: its interval, and a warning if there are few users."""
    if n_users == 1:
        return "over 1 user only: not reliable"
    low, high = figure(difference.low, sign=True), figure(difference.high, sign=True)
    interval = NO_INTERVAL if difference.low is None else f"{percent(evaluate.confidence)} interval {low} to {high}"
    few = n_users < MIN_TRUSTED_USERS
    return f"{interval}, over {n_users} users only: not reliable" if few else interval


def _coverage_name(serving: ServingComparison, publish: PublishConfig) -> str:
    """Coverage at the paired cut-off; if it is not paired, at that of `publish.metric`."""
    paired = (metric for metric in serving.paired if metric.startswith("coverage@"))
    return next(paired, coverage_of(publish.metric))


def _coverage_change(name: str, model: Evaluation, serving: ServingComparison) -> str:
    """The coverage of both versions, to stand beside the metric; of the users evaluated for both if it is paired."""
    if serving.measured_differently or (serving.paired and name not in serving.paired):
        return ""
    if serving.paired:
        before, difference = serving.paired[name].before, serving.paired[name].difference
        return _against(name, before + difference.mean, before)
    return _against(name, model.overall.get(name), serving.serving.metrics.get(name))


def _against(name: str, now: float | None, before: float | None) -> str:
    return "" if now is None or before is None else f"; {name} {figure(now)} against {figure(before)}"


def _drop_gate(
    name: str,
    metric: str,
    model: Evaluation,
    serving: ServingComparison,
    publish: PublishConfig,
    evaluate: EvaluateConfig,
) -> Gate:
    if serving.measured_differently:
        detail = f"{metric}: {serving.measured_differently}, so it is not compared"
        return Gate(name, True, detail, warning=name == "no_metric_drop")  # once is enough
    if metric in serving.paired:
        return _paired_gate(name, metric, serving, publish, evaluate)
    return _stored_gate(name, metric, model, serving, publish)


def _paired_gate(
    name: str, metric: str, serving: ServingComparison, publish: PublishConfig, evaluate: EvaluateConfig
) -> Gate:
    """Refuses only if the loss is certainly larger than allowed; without an interval the mean decides."""
    before, difference = serving.paired[metric].before, serving.paired[metric].difference
    lowest = -publish.max_metric_drop * before
    passed = _best_case(difference, evaluate) >= lowest
    warning = passed and difference.high is not None and difference.high < lowest
    certainty = _certainty(difference, serving.n_shared, evaluate)
    larger = f", and the loss is {'probably' if passed else 'certainly'} larger" if warning or not passed else ""
    limit = _limit("may be lost", publish) + larger
    detail = (
        f"{metric} {figure(difference.mean, sign=True)} against {serving.serving.owner} {figure(before)} on the"
        f" {count(serving.n_shared)} users evaluated for both ({certainty}); {limit}{_instead(serving)}"
    )
    return Gate(name, passed, detail, warning=warning)


def _best_case(difference: Interval, evaluate: EvaluateConfig) -> float:
    """The upper bound of the normal interval of REFUSING_CONFIDENCE, or the mean if there is no interval."""
    if difference.high is None:
        return difference.mean
    quantile = NormalDist().inv_cdf
    wider = quantile((1 + REFUSING_CONFIDENCE) / 2) / quantile((1 + evaluate.confidence) / 2)
    return difference.mean + (difference.high - difference.mean) * max(1.0, wider)


def _stored_gate(
    name: str, metric: str, model: Evaluation, serving: ServingComparison, publish: PublishConfig
) -> Gate:
    """Passes if the serving version's stored mean is unknown or at most `max_metric_drop` of it is lost."""
    now, before = model.means().get(metric), serving.serving.metrics.get(metric)
    if now is None or before is None:
        return Gate(name, True, f"the serving version was not measured by {metric}, so nothing is compared")
    if serving.n_before is not None and serving.n_before < publish.min_users:
        few = f"{serving.serving.owner} {metric} is over {count(serving.n_before)} users only, so it is not compared"
        return Gate(name, True, f"{few} (publish.min_users = {count(publish.min_users)})", warning=True)
    allowed = now >= before * (1 - publish.max_metric_drop)
    detail = f"{metric} {figure(now)} is {_change(now, before)} {serving.serving.owner} {figure(before)}"
    limit = f"; {_limit('is allowed', publish)}" if now < before else ""
    reason = serving.not_paired or "the serving version keeps no record of this metric"
    return Gate(name, allowed, f"{detail}{limit} (each version over its own users: {reason}){_instead(serving)}")


def _instead(serving: ServingComparison) -> str:
    """Why an earlier version was compared and not the serving one; empty if it is the serving one."""
    because = serving.serving.because
    return "" if because is None else f"; not with the serving version, because {because}"


def _limit(verb: str, publish: PublishConfig) -> str:
    return f"at most {percent(publish.max_metric_drop)} {verb} (publish.max_metric_drop)"


def _change(now: float, before: float) -> str:
    if now == before:
        return "the same as"
    if before == 0:
        return "above"
    return f"{percent(abs(now - before) / before)} {'above' if now > before else 'below'}"
