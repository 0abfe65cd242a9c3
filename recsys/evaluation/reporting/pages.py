"""The report as two pages with the same sentences: Markdown, and one HTML file without scripts or network access."""

import re
from collections.abc import Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from recsys.evaluation.comparison import Estimate
from recsys.evaluation.number_format import brief, count, figure, percent
from recsys.evaluation.reporting import (
    cold_start_tables,
    content_tables,
    online_wording,
    space_wording,
    tables,
    wording,
)
from recsys.evaluation.reporting.reasons import explain
from recsys.evaluation.reporting.report import Report, utc_text
from recsys.evaluation.reporting.report_plots import report_plots


def render_html(report: Report, plots: Mapping[str, str | None] | None = None) -> str:
    """One HTML file with plots, tables and lists; every value is escaped (report.html.j2, report.css).

    `plots`: of `report_plots`, if they are drawn already.
    """
    drawn = report_plots(report) if plots is None else plots
    return environment(html=True).get_template("report.html.j2").render(report=report, plots=drawn)


def render_markdown(report: Report) -> str:
    """One Markdown page, the verdict first; foreign text is escaped (report.md.j2)."""
    return environment(html=False).get_template("report.md.j2").render(report=report).rstrip() + "\n"


def escape_markdown(text: str) -> str:
    """Escaped text (a title, an id) on one line, shown unchanged."""
    return re.sub(r"([\\`*_\[\]<>|~#&])", r"\\\1", " ".join(text.split()))


def estimate_text(estimate: Estimate, *, bold: bool = False, sign: bool = False) -> str:
    """A mean with its interval, if it has one: "**0.2716** (0.2378 to 0.3104)"."""
    mean = figure(estimate.mean, sign=sign)
    mean = f"**{mean}**" if bold else mean
    if estimate.low is None:
        return mean
    return f"{mean} ({figure(estimate.low, sign=sign)} to {figure(estimate.high, sign=sign)})"


def fact_text(value: object) -> str:
    """A fact about the index as text."""
    if isinstance(value, float):
        return figure(value)
    return count(value) if isinstance(value, int) and not isinstance(value, bool) else escape_markdown(str(value))


@cache
def environment(*, html: bool) -> Environment:
    """Templates of this folder, escaped for HTML, or not."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=html,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.tests["compared"] = tables.is_compared
    environment.filters.update(
        brief=brief,
        count=count,
        escape_markdown=escape_markdown,
        explain=explain,
        fact=fact_text,
        figure=figure,
        percent=percent,
        toml=tables.toml_text,
        utc=utc_text,
    )
    environment.globals.update(
        words=wording,
        space_words=space_wording,
        tables=tables,
        content=content_tables,
        cold=cold_start_tables,
        estimate_text=estimate_text,
        online_note=online_wording.note,
        online_rate=online_wording.rate_text,
        NOTHING=Estimate(),
    )
    return environment
