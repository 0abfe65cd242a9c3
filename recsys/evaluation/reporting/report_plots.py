"""The plots of one report, each as SVG."""

from collections.abc import Mapping, Sequence

from recsys.evaluation.comparison import Estimate, Estimates
from recsys.evaluation.definitions import coverage_of
from recsys.evaluation.number_format import count
from recsys.evaluation.reporting.map_plot import map_plot
from recsys.evaluation.reporting.plots import curve_plot, interval_plot, path_plot, scatter_plot, slice_plot
from recsys.evaluation.reporting.report import Report


def report_plots(report: Report) -> dict[str, str | None]:
    """Every plot by its name, None if there is nothing to draw."""
    return {
        "models": _models(report),
        "leads": _leads(report),
        "coverage": _coverage(report),
        "activity": _activity(report),
        "popularity": _popularity(report),
        "stopping": _stopping(report),
        "tradeoff": _tradeoff(report),
        "training": _training(report),
        "map": _map(report),
    }


def _models(report: Report) -> str | None:
    metric = report.metric
    known = _known(report.models, metric)
    return interval_plot(known, metric=metric, name="models", text=f"{metric} of every model") if known else None


def _leads(report: Report) -> str | None:
    metric = report.metric
    known = _known(report.differences, metric)
    if not known:
        return None
    return interval_plot(
        known,
        metric=f"difference in {metric}",
        name="leads",
        text=f"Paired differences in {metric}",
        first_series=1,
    )


def _known(models: Estimates, metric: str) -> dict[str, Estimate]:
    """Model to its estimate of `metric`, for the models that have a mean."""
    estimates = {name: table.get(metric, Estimate()) for name, table in models.items()}
    return {name: estimate for name, estimate in estimates.items() if estimate.mean is not None}


def _coverage(report: Report) -> str | None:
    metric, coverage = report.metric, coverage_of(report.metric)
    shares = _known(report.models, coverage)
    points = {
        name: (share, estimate)
        for name, estimate in _known(report.models, metric).items()
        if name in shares and (share := shares[name].mean) is not None
    }
    if not points:
        return None
    return scatter_plot(
        points, x_label=coverage, y_label=metric, name="coverage", text=f"{metric} against {coverage}"
    )


def _activity(report: Report) -> str | None:
    if (slices := report.details.slices) is None:
        return None
    return slice_plot(
        [f"{each.slice.split()[0]}\n{count(each.users)}" for each in slices.user_activity],
        _by_model([each.models for each in slices.user_activity], report.metric),
        x_label="distinct items in the history, from; below: users",
        y_label=report.metric,
        name="activity",
        text=f"{report.metric} by user activity",
    )


def _popularity(report: Report) -> str | None:
    if (slices := report.details.slices) is None or not slices.item_popularity:
        return None
    recall = f"recall@{slices.k}"
    return slice_plot(
        [f"{each.slice}\n{count(each.relevant)} pairs" for each in slices.item_popularity],
        _by_model([each.models for each in slices.item_popularity], recall),
        x_label="popularity of the relevant items",
        y_label=recall,
        name="popularity",
        text=f"{recall} by item popularity",
    )


def _by_model(slices: Sequence[Estimates], metric: str) -> Mapping[str, Sequence[Estimate]]:
    return {name: [models[name][metric] for models in slices] for name in slices[0]}


def _stopping(report: Report) -> str | None:
    stopping = report.provenance.stopping
    if stopping is None or not stopping.curve:
        return None
    text = f"{stopping.metric} on the validation part by iteration"
    return curve_plot(
        stopping.curve,
        steps=stopping.measured_after,
        x_label="iteration",
        y_label=stopping.metric,
        name="stopping",
        text=text,
    )


def _tradeoff(report: Report) -> str | None:
    tradeoff = report.provenance.tradeoff
    if tradeoff is None:
        return None
    coverage = coverage_of(tradeoff.metric)
    return path_plot(
        [(f"{each.popularity_exponent:g}", each.coverage, each.score) for each in tradeoff.points],
        marked=tradeoff.at,
        x_label=coverage,
        y_label=tradeoff.metric,
        name="tradeoff",
        text=f"{tradeoff.metric} against {coverage} by popularity exponent, on the validation part",
    )


def _map(report: Report) -> str | None:
    shown = report.details.map
    return None if shown is None else map_plot(shown)


def _training(report: Report) -> str | None:
    losses = report.provenance.losses
    if not losses:
        return None
    return curve_plot(
        losses, x_label="iteration", y_label="training loss", name="training", text="Training loss by iteration"
    )
