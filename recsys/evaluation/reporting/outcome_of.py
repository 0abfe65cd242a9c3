"""The outcome of a report: its verdict, a headline in plain words, and what to look at."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recsys.evaluation.comparison import Estimate
from recsys.evaluation.definitions import coverage_of, split_name
from recsys.evaluation.gates import ACCEPTED
from recsys.evaluation.number_format import count, figure, percent
from recsys.evaluation.outcome import Outcome, Statement
from recsys.evaluation.significance import MIN_TRUSTED_USERS
from recsys.models.factors.config import NEIGHBOURS

if TYPE_CHECKING:
    from recsys.evaluation.reporting.report import Report

_FOUND = {
    "temporal": "an item they later took",
    "last_n": "an item they later took",
    "held_out_users": "an item of theirs that was kept from the model",
    "given": "an item of the given holdout",
}
TUNE = "`recsys tune CONFIG` searches better settings"


def outcome_of(report: "Report") -> Outcome:
    """What the report says in a few sentences, the important first."""
    standing = standing_of(report)
    statements = (*_gates(report), *([standing] if standing else []), *report.notes)
    return Outcome.of(verdict_of(report), headline=headline_of(report), statements=statements)


def verdict_of(report: "Report") -> Statement:
    """What the gates decided, and what that means for the store."""
    if report.verdict is None:
        return Statement(light="open", text="Not judged yet: the gates are checked when a version is published")
    if report.verdict == ACCEPTED:
        return Statement(light="good", text="Accepted: this version may be published")
    if report.judgement.serving is None:
        return Statement(light="bad", text="Refused: this version may not be published, and no other one serves yet")
    return Statement(light="bad", text="Refused: the serving version stays")


def headline_of(report: "Report") -> str | None:
    """The share of users whose list held something they took, at the cut-off of the metric of the gates."""
    k = split_name(report.metric)[1]
    share = _mean(report, report.model, f"hit_rate@{k}")
    if share is None:
        return None
    popular = None if report.model == "popular" else _mean(report, "popular", f"hit_rate@{k}")
    beside = (
        f"; with the most popular items for everybody it would be {_whole(popular)}" if popular is not None else ""
    )
    found = _FOUND.get(report.provenance.split.kind, "a held-out item")
    return f"{_whole(share)} of users found {found} among the first {k}{beside} ({_measured_on(report)})"


def _measured_on(report: "Report") -> str:
    """The users and the holdout that the share is of."""
    n_users, split, log = report.n_users, report.provenance.split, report.provenance.log
    users = f"{count(n_users)} user{'' if n_users == 1 else 's'}"
    few = ": too few to rely on" if n_users < MIN_TRUSTED_USERS else ""
    if split.cut is None:
        return users + few
    end = f" to {_day(log.newest)}" if log is not None and log.newest is not None else " on"
    return f"{users}, holdout {_day(split.cut)}{end}{few}"


def standing_of(report: "Report") -> Statement | None:
    """The model beside the best of its baselines; None without baselines, or if the difference may be chance."""
    means = {name: mean for name in report.models if (mean := _mean(report, name, report.metric)) is not None}
    own = means.pop(report.model, None)
    if own is None or not means:
        return None
    ranked = sorted(means, key=lambda name: -means[name])
    if better := [name for name in ranked if _lead(report, name) < 0]:
        return _behind(report, better)
    if _lead(report, ranked[0]) <= 0:
        return None
    text = f"{report.model} is better than {ranked[0]}, the best baseline: {_beside(report, report.model, ranked[0])}"
    return Statement(light="good", text=text)


def _behind(report: "Report", better: list[str]) -> Statement:
    """The baselines that are certainly better, the best first."""
    values = _beside(report, better[0], report.model)
    if len(better) == 1:
        text = f"{better[0]} is better than {report.model}: {values}"
    else:
        text = f"{_listed(better)} are better than {report.model}; {better[0]}: {values}"
    return Statement(light="attention", text=text, remedy=_remedy(report))


def _remedy(report: "Report") -> str:
    """What may make the model better: parts of it that are off, then a search."""
    model = (report.provenance.settings or {}).get("model")
    settings = model if isinstance(model, dict) else {}
    parts = []
    if settings.get("auto") is False:
        parts.append("set model.auto = true and leave the other settings of [model] out: the night then chooses them")
    elif settings.get("auto") and report.provenance.choice is None:
        parts.append("leave settings of [model] out: the night then chooses them")
    chosen = report.provenance.choice.settings if report.provenance.choice else {}
    if settings.get("neighbours") == 0 and "neighbours" not in chosen:
        parts.append(f"set model.neighbours = {NEIGHBOURS}")
    return "; or ".join([*parts, TUNE])


def _beside(report: "Report", first: str, second: str) -> str:
    """Metric and coverage of two models, one of them the model, and the paired difference of the metric."""
    baseline, sign = (second, 1) if first == report.model else (first, -1)
    coverage = coverage_of(report.metric)
    values = f"{_against(report, report.metric, first, second)} (difference {_by(report, baseline, sign)})"
    if _mean(report, first, coverage) is None:
        return values
    return f"{values}, {_against(report, coverage, first, second)}"


def _against(report: "Report", metric: str, first: str, second: str) -> str:
    return f"{metric} {figure(_mean(report, first, metric))} against {figure(_mean(report, second, metric))}"


def _lead(report: "Report", baseline: str) -> int:
    """1 if the model is certainly ahead of `baseline`, -1 if it is certainly behind, 0 if it may be chance.

    Without intervals the means decide.
    """
    difference = _difference(report, baseline)
    if difference.mean is None:
        return 0
    low, high = (difference.mean if bound is None else bound for bound in (difference.low, difference.high))
    return int(low > 0) - int(high < 0)


def _by(report: "Report", baseline: str, sign: int) -> str:
    """The difference times `sign`, such as "0.0400, 95 % interval 0.0200 to 0.0600"."""
    difference = _difference(report, baseline)
    bounds = [sign * bound for bound in (difference.low, difference.high) if bound is not None]
    lead = figure(sign * (difference.mean or 0))
    if not bounds:
        return lead
    return f"{lead}, {percent(report.intervals.confidence)} interval {figure(min(bounds))} to {figure(max(bounds))}"


def _difference(report: "Report", baseline: str) -> Estimate:
    return report.differences.get(f"{report.model} minus {baseline}", {}).get(report.metric, Estimate())


def _gates(report: "Report") -> Iterator[Statement]:
    """What gates refuse, the last with the command that accepts all of them; what was accepted; their warnings."""
    gates = report.judgement.gates
    names = [gate.name for gate in gates if gate.refuses]
    accept = ",".join(gate.name for gate in gates if gate.refuses or gate.accepted)
    command = f"if all of this is meant to be so: `recsys publish CONFIG --accept {accept}` accepts it once"
    for gate in gates:
        if gate.refuses:
            yield Statement(light="bad", text=gate.detail, remedy=command if gate.name == names[-1] else None)
        elif gate.accepted:
            yield Statement(light="attention", text=f"accepted on purpose: {gate.detail}")
        elif gate.warning:
            yield Statement(light="attention", text=gate.detail)


def _mean(report: "Report", name: str, metric: str) -> float | None:
    return report.models.get(name, {}).get(metric, Estimate()).mean


def _whole(share: float) -> str:
    """A share as a whole percentage; never 0 % or 100 % unless it is exactly that."""
    if 0 < share < 0.01:
        return "less than 1 %"
    return f"{min(99, round(100 * share)) if share < 1 else 100} %"


def _day(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d")


def _listed(names: list[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
