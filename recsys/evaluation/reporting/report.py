"""Report: everything about one evaluation, typed; `to_json` writes JSON, `pages` Markdown and HTML."""

import json
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, fields, is_dataclass, replace
from datetime import UTC, datetime

from pydantic import BaseModel, JsonValue

from recsys.config import EvaluateConfig
from recsys.evaluation.comparison import Estimate, Estimates, compare
from recsys.evaluation.definitions import definitions_tree, sorted_metrics
from recsys.evaluation.examples import SERVING, Example, Regressions
from recsys.evaluation.gates import Gate, verdict
from recsys.evaluation.outcome import Outcome, Statement
from recsys.evaluation.provenance import Provenance
from recsys.evaluation.reporting.outcome_of import outcome_of
from recsys.evaluation.reporting.reasons import IGNORED, explain
from recsys.evaluation.results import Evaluation
from recsys.evaluation.serving_comparison import ServingComparison
from recsys.evaluation.slices import Slices
from recsys.online.figures import OnlineDays
from recsys.space.map_view import MapView
from recsys.space.reading import SpaceReading


@dataclass(frozen=True)
class Intervals:
    """How intervals were computed: the share they cover, the number of resamples (0: no intervals), the seed."""

    confidence: float
    samples: int
    seed: int


@dataclass(frozen=True)
class Judgement:
    """`gates`: empty before publishing. `serving`: comparison with the serving version, None if none serves."""

    gates: tuple[Gate, ...] = ()
    serving: ServingComparison | None = None


@dataclass(frozen=True)
class Details:
    """`slices` of the metrics, `examples` of users, the users who lose most, and the space of the item vectors.

    `map`: what to draw of the items' map. `online`: what people did with earlier lists.
    """

    slices: Slices | None = None
    examples: tuple[Example, ...] = ()
    regressed: Regressions | None = None
    space: SpaceReading | None = None
    map: MapView | None = None
    online: OnlineDays | None = None


@dataclass(frozen=True, kw_only=True)
class Report:
    """One evaluation of `model` and its baselines, over `n_users` users.

    `version`: its name, once it is sealed. `metric`: the one that the gates use. `models`, `differences`: metrics of
    every model, and of the model minus each baseline and the serving version. `short_lists`: model to the number of
    users whose list is shorter than the largest cut-off. `reasons`: every reason for leaving something out, in words.
    `notes`: what else to know about the night.
    """

    version: str | None = None
    judgement: Judgement
    model: str
    metric: str
    n_users: int
    models: Estimates
    differences: Estimates
    intervals: Intervals
    short_lists: Mapping[str, int]
    provenance: Provenance
    details: Details
    reasons: Mapping[str, str]
    notes: tuple[Statement, ...] = ()
    definitions: Mapping[str, Mapping[str, str]] = field(default_factory=definitions_tree)

    @property
    def verdict(self) -> str | None:
        """ "accepted" or "refused"; None before the gates."""
        return verdict(self.judgement.gates) if self.judgement.gates else None

    @property
    def outcome(self) -> Outcome:
        """The report in a few sentences."""
        return outcome_of(self)

    def to_json(self) -> str:
        """JSON text: keys in a fixed order, floats with eight significant digits, NaN as null."""
        return json.dumps(_jsonable(_tree(self)), indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def build_report(
    evaluations: Sequence[Evaluation],
    provenance: Provenance,
    *,
    metric: str,
    evaluate: EvaluateConfig,
    judgement: Judgement | None = None,
    details: Details | None = None,
    notes: Sequence[Statement] = (),
) -> Report:
    """The report of `evaluations`: the model first, then its baselines, on the same users.

    `metric`: the one that the gates use. The seconds of each evaluation are added to the timings of `provenance`.
    Raises DataError if the evaluations cannot be compared.
    """
    models, differences = compare(evaluations, evaluate)
    model, judgement = evaluations[0], judgement or Judgement()
    return Report(
        judgement=judgement,
        model=model.name,
        metric=metric,
        n_users=model.n_users,
        models=models,
        differences={**differences, **_serving_differences(model.name, judgement.serving)},
        intervals=Intervals(evaluate.confidence, evaluate.bootstrap, evaluate.seed),
        short_lists={evaluation.name: evaluation.n_short for evaluation in evaluations},
        provenance=_timed(provenance, evaluations),
        details=details or Details(),
        reasons={reason: explain(reason) for reason in _reasons(provenance)},
        notes=tuple(notes),
    )


def _timed(provenance: Provenance, evaluations: Sequence[Evaluation]) -> Provenance:
    seconds = {f"evaluate {each.name}": each.seconds for each in evaluations}
    return replace(provenance, timings={**provenance.timings, **seconds})


def _serving_differences(model: str, serving: ServingComparison | None) -> Estimates:
    """The new version minus the serving one; empty if they are not paired."""
    if serving is None or not serving.paired:
        return {}
    paired = {metric: serving.paired[metric].difference for metric in sorted_metrics(serving.paired)}
    estimates = {metric: Estimate.of(interval, serving.n_shared) for metric, interval in paired.items()}
    return {f"{model} minus {SERVING}": estimates}


def _reasons(provenance: Provenance) -> Iterable[str]:
    """Every reason for which rows, events, pairs or users were left out."""
    yield from provenance.split.dropped
    yield from provenance.split.dropped_users
    if provenance.cleaning is not None:
        yield from provenance.cleaning.removed
    for rows in (provenance.ingest, provenance.holdout_ingest):
        if rows is not None:
            yield from rows.refused
            yield from (f"{IGNORED}{name}" for name in rows.ignored)


def utc_text(seconds: int | None) -> str | None:
    """UTC seconds as "2026-03-05T10:00:00Z"."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _tree(report: Report) -> dict[str, object]:
    """The report in the order of the JSON document, its provenance and details merged into it."""
    provenance, details, serving = report.provenance, report.details, report.judgement.serving
    return {
        "version": report.version,
        "verdict": report.verdict,
        "outcome": report.outcome,
        "gates": report.judgement.gates,
        "log": provenance.log and {**vars(provenance.log), "newest": utc_text(provenance.log.newest)},
        "model": report.model,
        "metric": report.metric,
        "n_users": report.n_users,
        "models": report.models,
        "differences": report.differences,
        "serving": serving and _serving_tree(serving),
        "intervals": report.intervals,
        "short_lists": report.short_lists,
        "slices": details.slices,
        "visitors": provenance.visitors,
        "session_weight": provenance.session_weight,
        "split": _split_tree(provenance),
        "losses": provenance.losses,
        "baseline_settings": provenance.baseline_settings,
        "stopping": provenance.stopping,
        "tradeoff": provenance.tradeoff,
        "choice": provenance.choice,
        "training": provenance.training,
        **({"neighbours": provenance.neighbours} if provenance.neighbours else {}),
        "index": provenance.index,
        **({"content": provenance.content} if provenance.content else {}),
        **({"cold_start": provenance.cold_start} if provenance.cold_start else {}),
        "cleaning": provenance.cleaning,
        "ingest": provenance.ingest,
        "holdout_ingest": provenance.holdout_ingest,
        "warnings": provenance.warnings,
        "reasons": report.reasons,
        "settings": provenance.settings,
        "definitions": report.definitions,
        "examples": details.examples,
        "regressed": details.regressed,
        "space": details.space,
        "map": details.map and _map_tree(details.map),
        **({"online": details.online} if details.online else {}),
        "timings": provenance.timings,
    }


def _map_tree(view: MapView) -> dict[str, object]:
    """What is drawn of the map, without the places."""
    return {"made_by": view.made_by, "coloured_by": view.coloured_by, "n_items": view.n_items}


def _serving_tree(serving: ServingComparison) -> dict[str, object]:
    return {
        "version": serving.serving.version,
        "because": serving.serving.because,
        "n_shared": serving.n_shared,
        "not_paired": serving.not_paired,
        "before": {metric: each.before for metric, each in serving.paired.items()},
    }


def _split_tree(provenance: Provenance) -> dict[str, object]:
    """Kind, cut, counts and dropped pairs in one object."""
    split = provenance.split
    dropped = {"dropped": split.dropped, "dropped_users": split.dropped_users}
    seen = {"exclude_seen": split.exclude_seen, "seen_events": split.seen_events}
    return {"kind": split.kind, "cut": utc_text(split.cut), **seen, **split.counts, **dropped}


def _jsonable(value: object) -> JsonValue:
    """`value` as JSON: dataclasses and models as objects, floats with eight significant digits, NaN as None."""
    if isinstance(value, Estimate):
        return _jsonable(value.to_dict())
    if isinstance(value, BaseModel):
        return _jsonable(value.model_dump(mode="json"))
    if is_dataclass(value):
        return {each.name: _jsonable(getattr(value, each.name)) for each in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _jsonable(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [_jsonable(part) for part in value]
    return _scalar(value)


def _scalar(value: object) -> JsonValue:
    if isinstance(value, float):  # pages round what they show, and rounding twice may come out differently
        return float(f"{value:.8g}") if math.isfinite(value) else None
    if value is None or isinstance(value, str | int):
        return value
    raise TypeError(f"report: {value!r} has no JSON form")
