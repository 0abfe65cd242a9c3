"""What `recsys online` and `recsys experiment` print for people."""

from typing import TYPE_CHECKING

from rich.table import Table

from pipelines.commands.rendering import line, out, table

if TYPE_CHECKING:
    from recsys.experiments.difference import Bounds
    from recsys.experiments.plan import Experiment
    from recsys.experiments.verdict import Reading
    from recsys.online.baseline import Baseline
    from recsys.online.experiment import ExperimentReading
    from recsys.online.figures import Estimate, Figures, OnlineReport

_RATES = {"click_through": "clicked lists per list", "conversion": "users with a conversion"}


def report(found: "OnlineReport", source: str) -> None:
    """Both tables."""
    if not found.overall:
        return line(f"{source}: no list was kept in this time; `recsys serve --events` keeps them")
    _figures("In all", found.overall)
    return _figures("By day (UTC)", found.by_day)


def started(experiment: "Experiment", baseline: "Baseline") -> None:
    """What was started, and how long it takes."""
    plan(experiment)
    goal = experiment.goal
    origin = "of the last 28 days" if baseline.is_measured else "assumed, with one list per user: see --baseline"
    line(f"The rate before it is {goal.baseline:.4f}, {origin}.")
    if baseline.is_measured:
        days = goal.needed / baseline.users_per_day
        line(f"About {days:,.0f} days at {baseline.users_per_day:,.0f} new users per day.")
    line("`recsys experiment status` may be looked at every day.")


def plan(experiment: "Experiment") -> None:
    """The arms and the goal."""
    goal = experiment.goal
    state = "runs" if experiment.stop is None else f"ended at {experiment.stop.at} by {experiment.stop.by}"
    reason = f": {experiment.stop.reason}" if experiment.stop and experiment.stop.reason else ""
    line(f"{experiment.name} {state}{reason}")
    line(f"control {experiment.control}, treatment {experiment.treatment} for {experiment.share:.1%} of the users")
    line(
        f"To find {goal.effect:+.1%} of {_RATES[goal.rate]} {goal.power:.0%} of the time: {goal.needed:,} users if"
        f" looked at every day, {goal.needed_once:,} if once."
    )


def reading(found: "ExperimentReading") -> None:
    """The verdict, the rates, and the checks."""
    plan(found.experiment)
    rows = table(
        f"After {found.experiment.days:.1f} days", "", "control", "treatment", "difference", "fixed", "always valid"
    )
    own, other = found.experiment.goal.rate, "conversion"
    other = "conversion" if own == "click_through" else "click_through"
    rows.add_row("users", *(f"{arm.n:,}" for arm in (found.reading.control, found.reading.treatment)), "", "", "")
    rows.add_row("lists", *(f"{n:,}" for n in found.lists), "", "", "")
    for rate, each in ((own, found.reading), (other, found.other)):
        rows.add_row(_RATES[rate], *_rate(each))
    out.print(rows)
    ratio, always = found.reading.sample_ratio
    line(f"Split: p = {ratio:.3g} looked at once, {always:.3g} always valid; {found.mixed:,} in both arms, left out.")
    if found.breach is not None:
        running = "; the service ends the experiment within 15 minutes" if found.experiment.runs else ""
        line(f"A guardrail is broken: {found.breach.message}{running}.")
    line(found.verdict)


def _rate(each: "Reading") -> tuple[str, ...]:
    found = each.found
    relative = f" ({found.relative:+.1%})" if found.control else ""
    return (
        _number(f"{found.control:.4f}"),
        _number(f"{found.treatment:.4f}"),
        _number(f"{found.value:+.4f}{relative}"),
        _bounds(each.fixed),
        _bounds(each.always_valid),
    )


def _number(text: str) -> str:
    """A dash for what is not known yet, because an arm has no users."""
    return "-" if "nan" in text else text


def _bounds(bounds: "Bounds") -> str:
    return "too early" if bounds.low == float("-inf") else f"{bounds.low:+.4f} to {bounds.high:+.4f}"


def _figures(title: str, lines: "tuple[Figures, ...]") -> None:
    rows: Table = table(
        title,
        "day",
        "version",
        "arm",
        "users",
        "lists",
        "click-through",
        "conversion",
        "items",
        "coverage",
        "fallbacks",
        "empty",
    )
    for it in lines:
        rows.add_row(
            it.day or "",
            it.version,
            it.arm or "",
            f"{it.users:,}",
            f"{it.lists:,}",
            _estimate(it.click_through),
            _estimate(it.conversion),
            f"{it.items:,}",
            "" if it.coverage is None else f"{it.coverage:.1%}",
            f"{it.fallback_share:.1%}",
            f"{it.empty_share:.1%}",
        )
    out.print(rows)


def _estimate(found: "Estimate") -> str:
    if found.value is None:
        return ""
    if found.low is None or found.high is None:
        return f"{found.value:.2%}"
    return f"{found.value:.2%} ({found.low:.2%} to {found.high:.2%})"
