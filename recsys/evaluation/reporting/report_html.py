"""The report as one HTML file: no script, no network, every value escaped (report.html.j2, report.css)."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recsys.evaluation.number_format import brief, count, percent
from recsys.evaluation.reporting.index_tables import candidate_tables, index_facts
from recsys.evaluation.reporting.plots import curve_plot, interval_plot, scatter_plot, slice_plot
from recsys.evaluation.reporting.toml_text import toml_lines
from recsys.evaluation.reporting.wording import (
    COUNTS,
    SPLITS,
    Tree,
    against,
    ahead_of_the_model,
    beside_serving,
    by_cutoff,
    how_measured,
    is_compared,
    is_judged,
    new_to_the_model,
    short_lists,
    stopped_after,
    tied_to,
    verdict_sentence,
    whose_report,
)

Plot = Callable[[Tree], str | None]


def draw_plots(tree: Tree) -> dict[str, str | None]:
    """Every plot of the page by its name, as an SVG element; None if there is nothing to draw."""
    return {name: plot(tree) for name, plot in _PLOTS.items()}


def render_html(tree: Tree, plots: Mapping[str, str | None]) -> str:
    """The whole page. `tree`: as `Report.tree`; `plots`: as `draw_plots` gives them."""
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            tree=tree,
            plots=plots,
            headline=_headline(tree),
            tables=_tables(tree),
            settings="\n".join(toml_lines(tree["settings"] or {})),
            left_out=list(_left_out(tree)),
            accounts=list(_accounts(tree)),
        )
    )


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["compared"] = is_compared
    environment.filters.update(brief=brief, count=count, percent=percent)
    words = (
        index_facts,
        candidate_tables,
        how_measured,
        new_to_the_model,
        short_lists,
        stopped_after,
        tied_to,
        verdict_sentence,
        beside_serving,
        against,
        ahead_of_the_model,
        whose_report,
        best_of,
        is_certain,
    )
    environment.globals.update({word.__name__: word for word in words}, SPLITS=SPLITS, COUNTS=COUNTS)
    return environment


def best_of(figures: Mapping[str, Tree], metric: str) -> float | None:
    """The highest mean of `metric` among models, None where higher is not better, or there is one model."""
    means = [table[metric]["mean"] for table in figures.values() if table[metric].get("mean") is not None]
    return max(means) if is_judged(metric) and len(figures) > 1 and means else None


def is_certain(entry: Tree) -> bool:
    """Whether the interval of a difference does not hold zero."""
    return bool(entry.get("low", 0) > 0 or entry.get("high", 0) < 0)


def _cutoff(tree: Tree) -> str:
    """The part of the primary metric's name behind the @."""
    return str(tree["metric"]).split("@")[1]


def _headline(tree: Tree) -> list[str]:
    """The metric that matters, then what the lists look like at its cut-off."""
    names = (tree["metric"], *(f"{name}@{_cutoff(tree)}" for name in _DESCRIBING))
    return [name for name in names if name in tree["models"][tree["model"]]]


_DESCRIBING = ("coverage", "novelty", "diversity", "popularity_bias")


def _tables(tree: Tree) -> dict[int, list[str]]:
    """Cut-off to metrics, both with those of the primary metric first."""
    k, tables = int(_cutoff(tree)), by_cutoff(tree)
    first = {cutoff: sorted(metrics, key=lambda name: name != tree["metric"]) for cutoff, metrics in tables.items()}
    return dict(sorted(first.items(), key=lambda item: item[0] != k))


def _left_out(tree: Tree) -> Iterator[tuple[str, int, int]]:
    """Reason, pairs and users of the holdout that could not be evaluated."""
    pairs, users = tree["split"]["dropped"], tree["split"]["dropped_users"]
    for reason in {**pairs, **users}:
        if pairs.get(reason) or users.get(reason):
            yield reason, pairs.get(reason, 0), users.get(reason, 0)


def _accounts(tree: Tree) -> Iterator[dict[str, Any]]:
    """What came in, what was left out by reason, and what remained, at every stage."""
    for title, key in (("Rows of the log", "ingest"), ("Rows of the held-out files", "holdout_ingest")):
        if account := tree[key]:
            out = {**account["refused"], "merged": account["merged"]}
            yield {"title": title, "unit": "rows", "in": account["rows_read"], "out": _at_work(out)}
    if cleaning := tree["cleaning"]:
        yield {
            "title": "Cleaning",
            "unit": "events",
            "in": cleaning["events_in"],
            "out": _at_work(cleaning["removed"]),
        }


def _at_work(reasons: Mapping[str, int]) -> dict[str, int]:
    return {reason: n for reason, n in reasons.items() if n}


def _models_plot(tree: Tree) -> str | None:
    metric = tree["metric"]
    entries = _known({name: figures[metric] for name, figures in tree["models"].items()})
    return entries and interval_plot(entries, metric=metric, name="models", text=f"{metric} of every model")


def _leads_plot(tree: Tree) -> str | None:
    metric = tree["metric"]
    entries = _known({name: figures.get(metric, {}) for name, figures in tree["differences"].items()})
    return entries and interval_plot(
        entries,
        metric=f"difference in {metric}",
        name="leads",
        text=f"Paired differences in {metric}",
        first_series=1,
    )


def _known(entries: Mapping[str, Tree]) -> Any:
    return {name: entry for name, entry in entries.items() if entry.get("mean") is not None}


def _coverage_plot(tree: Tree) -> str | None:
    metric, coverage = tree["metric"], f"coverage@{_cutoff(tree)}"
    points = {
        name: (figures[coverage]["mean"], figures[metric])
        for name, figures in tree["models"].items()
        if coverage in figures and metric in _known(figures)
    }
    if not points:
        return None
    return scatter_plot(
        points, x_label=coverage, y_label=metric, name="coverage", text=f"{metric} against {coverage}"
    )


def _activity_plot(tree: Tree) -> str | None:
    slices = tree["slices"] and tree["slices"]["user_activity"]
    return slices and slice_plot(
        [f"{row['slice'].split()[0]}\n{count(row['users'])}" for row in slices],
        _by_model(slices, tree["metric"]),
        x_label="distinct items in the history, from; below: users",
        y_label=tree["metric"],
        name="activity",
        text=f"{tree['metric']} by user activity",
    )


def _popularity_plot(tree: Tree) -> str | None:
    slices = tree["slices"] and tree["slices"]["item_popularity"]
    recall = f"recall@{_cutoff(tree)}"
    return slices and slice_plot(
        [f"{row['slice']}\n{count(row['relevant'])} pairs" for row in slices],
        _by_model(slices, recall),
        x_label="popularity of the relevant items",
        y_label=recall,
        name="popularity",
        text=f"{recall} by item popularity",
    )


def _by_model(slices: list[Tree], metric: str) -> dict[str, list[Tree]]:
    return {name: [row["models"][name][metric] for row in slices] for name in slices[0]["models"]}


def _stopping_plot(tree: Tree) -> str | None:
    stopping = tree["stopping"]
    if not (stopping and stopping["curve"]):
        return None
    metric = stopping["metric"]
    text = f"{metric} on the validation part by iteration"
    return curve_plot(stopping["curve"], x_label="iteration", y_label=metric, name="stopping", text=text)


def _training_plot(tree: Tree) -> str | None:
    losses = tree["losses"]
    return losses and curve_plot(
        losses, x_label="iteration", y_label="training loss", name="training", text="Training loss by iteration"
    )


_PLOTS: dict[str, Plot] = {
    "models": _models_plot,
    "leads": _leads_plot,
    "coverage": _coverage_plot,
    "activity": _activity_plot,
    "popularity": _popularity_plot,
    "stopping": _stopping_plot,
    "training": _training_plot,
}
