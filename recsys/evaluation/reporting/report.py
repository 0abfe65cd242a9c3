"""Report: everything about one evaluation as one plain tree, for programs (JSON) and for people."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import Any

from recsys.config import EvaluateConfig
from recsys.evaluation.cohort import Cohort
from recsys.evaluation.comparison import Figures, compare, entry_of
from recsys.evaluation.definitions import definitions_tree, sorted_metrics
from recsys.evaluation.evaluator import Evaluation
from recsys.evaluation.examples import Example
from recsys.evaluation.gates import Gate, verdict
from recsys.evaluation.regressed import Regressions
from recsys.evaluation.reporting.reasons import explain
from recsys.evaluation.reporting.report_html import draw_plots, render_html
from recsys.evaluation.reporting.report_markdown import render_markdown
from recsys.evaluation.serving import Comparison
from recsys.evaluation.slices import slice_tree


@dataclass(frozen=True)
class Report:
    """`gates`: as judged; empty before publishing. `tree`: plain values, in the order of the JSON document."""

    gates: tuple[Gate, ...]
    tree: Mapping[str, Any]

    @property
    def verdict(self) -> str | None:
        """ "accepted", "refused", or None where no gate has judged yet."""
        return verdict(self.gates) if self.gates else None

    def of_version(self, version: str) -> "Report":
        """The same report, of the version by that name, which was sealed from what it reports on."""
        return replace(self, tree={**self.tree, "version": version})

    def to_json(self) -> str:
        """The tree as JSON text: keys in a fixed order, floats at eight significant digits, no NaN."""
        return json.dumps(_rounded(self.tree), indent=2, ensure_ascii=False, allow_nan=False) + "\n"

    def plots(self) -> dict[str, str | None]:
        """The plots of the page for a browser, drawn. They are the same for `of_version`, so draw them once."""
        return draw_plots(self.tree)

    def to_html(self, plots: Mapping[str, str | None] | None = None) -> str:
        """The tree as one file for a browser: plots (drawn here by default), tables and lists."""
        return render_html(self.tree, self.plots() if plots is None else plots)

    def to_markdown(self) -> str:
        """The tree as a page to read: the verdict first."""
        return render_markdown(self.tree)


def build_report(
    evaluations: Sequence[Evaluation],
    *,
    metric: str,
    split: Mapping[str, Any],
    evaluate: EvaluateConfig,
    cohort: Cohort | None = None,
    gates: Sequence[Gate] = (),
    serving: Comparison | None = None,
    index: Mapping[str, Any] | None = None,
    cleaning: Mapping[str, Any] | None = None,
    ingest: Mapping[str, Any] | None = None,
    holdout_ingest: Mapping[str, Any] | None = None,
    settings: Mapping[str, Any] | None = None,
    losses: Sequence[float] = (),
    stopping: Mapping[str, Any] | None = None,
    training: Mapping[str, Any] | None = None,
    examples: Sequence[Example] = (),
    regressed: Regressions | None = None,
    log: Mapping[str, Any] | None = None,
    timings: Mapping[str, float] | None = None,
) -> Report:
    """Put a report together.

    `evaluations`: the model first, then its baselines, on the same users. `metric`: the one that matters most.
    `cohort`: those users; without it there are no slices. `serving`: the new version beside the one that serves.
    `split`: kind, cut (UTC seconds or None), counts, dropped, dropped_users as `Split` has them. `cleaning`:
    `CleaningSummary.to_dict()`. `ingest`, `holdout_ingest`: `RowCounts.to_dict()` of the log and of the files of a
    given holdout. `index`: kind and recall. `losses`: of the training, iteration by iteration. `stopping`: how
    many iterations were trained and why, as `evaluate` has it. `training`: what the published vectors set out
    from or are aligned to, as the manifest has it. `examples`: users to show; `regressed`: those who lose most.
    `settings`: the resolved configuration as plain values. `log`: its fingerprint, files (names) and newest
    (event, UTC seconds or None). `timings`: seconds by step; the time each evaluation took is added.
    Raises DataError where the evaluations cannot be compared.
    """
    models, differences = compare(evaluations, evaluate)
    tree = {
        "version": None,
        "verdict": verdict(gates) if gates else None,
        "gates": [asdict(gate) for gate in gates],
        "log": log and {**log, "newest": _when(log["newest"])},
        "model": evaluations[0].name,
        "metric": metric,
        "n_users": evaluations[0].n_users,
        "models": models,
        "differences": {**differences, **_serving_differences(evaluations[0].name, serving)},
        "serving": _serving_tree(serving),
        "intervals": {"confidence": evaluate.confidence, "samples": evaluate.bootstrap, "seed": evaluate.seed},
        "short_lists": {evaluation.name: evaluation.n_short for evaluation in evaluations},
        "slices": cohort and slice_tree(evaluations, cohort, k=_cutoff(metric), split=split, evaluate=evaluate),
        "split": _split_tree(split),
        "losses": losses,
        "stopping": stopping,
        "training": training or {},
        "index": index,
        "cleaning": cleaning,
        "ingest": ingest,
        "holdout_ingest": holdout_ingest,
        "reasons": _reasons(split, cleaning, ingest, holdout_ingest),
        "settings": settings,
        "definitions": definitions_tree(),
        "examples": [asdict(example) for example in examples],
        "regressed": regressed and asdict(regressed),
        "timings": {**(timings or {}), **{f"evaluate {each.name}": each.seconds for each in evaluations}},
    }
    return Report(tuple(gates), plain(tree))


def plain(value: Any) -> Any:
    """`value` as JSON holds it: mappings and sequences all the way down, NaN and infinity as None."""
    if isinstance(value, Mapping):
        return {str(key): plain(part) for key, part in value.items()}
    if isinstance(value, list | tuple):
        return [plain(part) for part in value]
    if hasattr(value, "item"):
        return plain(value.item())
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def _rounded(value: Any) -> Any:
    """For JSON alone: pages round what they show, and rounding twice may come out differently."""
    if isinstance(value, Mapping):
        return {key: _rounded(part) for key, part in value.items()}
    if isinstance(value, list):
        return [_rounded(part) for part in value]
    return float(f"{value:.8g}") if isinstance(value, float) else value


def _cutoff(metric: str) -> int:
    return int(metric.split("@")[1])


def _serving_differences(model: str, serving: Comparison | None) -> Figures:
    """The new version minus the serving one, as `compare` has the baselines; none where they cannot be paired."""
    if serving is None or not serving.paired:
        return {}
    entries = {metric: entry_of(each.difference) for metric, each in serving.paired.items()}
    figures = {metric: {**entries[metric], "users": serving.n_shared} for metric in sorted_metrics(entries)}
    return {f"{model} minus serving": figures}


def _serving_tree(serving: Comparison | None) -> dict[str, Any] | None:
    if serving is None:
        return None
    before = {metric: each.before for metric, each in serving.paired.items()}
    return {
        "version": serving.serving.version,
        "n_shared": serving.n_shared,
        "not_paired": serving.why_not_paired,
        "before": before,
    }


def _split_tree(split: Mapping[str, Any]) -> dict[str, Any]:
    """The counts flat beside the kind and the cut, as the report's readers look for them."""
    dropped = {key: split[key] for key in ("dropped", "dropped_users")}
    return {"kind": split["kind"], "cut": _when(split["cut"]), **split["counts"], **dropped}


def _when(seconds: int | None) -> str | None:
    """UTC seconds as people read them."""
    return None if seconds is None else datetime.fromtimestamp(int(seconds), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _reasons(*accounts: Mapping[str, Any] | None) -> dict[str, str]:
    """Why rows, pairs or users were left out, in words, for every reason that occurs."""
    groups = ("dropped", "dropped_users", "removed", "refused")
    named = [reason for account in accounts if account for group in groups for reason in account.get(group, {})]
    return {reason: explain(reason) for reason in named}
