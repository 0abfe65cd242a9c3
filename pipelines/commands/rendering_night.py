"""What a night ends with on the console: verdict, headline, what to look at, and where its results are."""

import logging
import re
from shlex import quote
from typing import TYPE_CHECKING

from rich.markup import escape

from pipelines.commands import log
from pipelines.commands.rendering import err, line, out

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rich.console import Console

    from pipelines.steps.summaries import JobSummary
    from recsys.evaluation.outcome import Light, Outcome
    from recsys.pipeline_config import PipelineConfig


def published(config: "PipelineConfig", done: "JobSummary", path: "Path") -> None:
    """How the night ended, where its results are, and the next command. `path`: of the configuration."""
    store, publish = config.publish.store, done.publish
    if (found := publish.outcome) is not None:
        out.print()
        serves = "serves from" if publish.held is None else "is sealed in"
        outcome(out, found, f"Accepted: {publish.version} {serves} {store}", _names(config, path))
        if log.is_json():
            log.log_line(logging.INFO, found.verdict.text, outcome=found.model_dump(mode="json"))
    store_option = f"--store {quote(str(store))}"
    line(f"report:  {config.workspace / 'report.html'} (`recsys report {store_option}` shows it as text)")
    n_refused = done.prepare.rows.n_refused if "prepare" in done else 0
    if n_refused:
        kept = min(n_refused, config.log.quarantine_rows)
        places = "by table and row" if config.log.of_database else "by file and line"
        line(f"refused: {kept:,} of {n_refused:,} rows, {places}, in {config.workspace / 'quarantine.jsonl'}")
    line(f"next:    recsys serve {store_option}")


def not_exported(problems: "Sequence[str]", given: str) -> None:
    """Why lists were not exported, on standard error. `given`: the configuration with the overrides, as typed."""
    for problem in problems:
        if log.is_json():
            log.log_line(logging.ERROR, problem)
        else:
            err.print(f"[bold red]error:[/] export: {escape(problem)}")
    if not log.is_json():
        again = f"recsys run {given} --from export"
        err.print(f"the version is published and serves; to export again: `{again}`", markup=False)


def refused(config: "PipelineConfig", found: "Outcome", path: "Path", given: str) -> None:
    """How a night ended whose version was not published, on standard error.

    `path`: of the configuration. `given`: the path with the overrides, as on the command line.
    """
    if log.is_json():
        return log.log_line(logging.ERROR, found.verdict.text, outcome=found.model_dump(mode="json"))
    names = {"publish CONFIG": f"publish {given}", **_names(config, path)}
    outcome(err, found, found.verdict.text.replace("Refused:", "Refused, not published:"), names)
    return err.print(f"report:  {config.workspace / 'report.html'}", markup=False)


def _names(config: "PipelineConfig", path: "Path") -> dict[str, str]:
    """What the words of a remedy stand for in this run."""
    return {"CONFIG": str(path), "STORE": quote(str(config.publish.store))}


def outcome(console: "Console", found: "Outcome", verdict: str, names: "Mapping[str, str]") -> None:
    """The verdict with its icon, the headline, what to look at. `names`: for words of remedies, the longer first."""
    words = "|".join(names)
    console.print(f"[bold]{_icon(console, found.symbol, found.light)} {escape(verdict)}[/]")
    if found.headline:
        console.print(f"  {escape(found.headline)}")
    for statement in found.statements:
        console.print(f"  {_icon(console, statement.symbol, statement.light)} {escape(statement.text)}")
        if statement.remedy:
            remedy = re.sub(rf"\b({words})\b", lambda word: names[word[0]], statement.remedy)
            console.print(f"    [bold]->[/] {escape(remedy)}")


_COLOURS = {"good": "green", "attention": "yellow", "bad": "red", "open": "dim"}
_PLAIN_ICONS = {"good": "OK", "attention": "!", "bad": "X", "open": "-"}
"""Icons for an output that has ASCII only."""


def _icon(console: "Console", symbol: str, light: "Light") -> str:
    try:
        symbol.encode(console.encoding)
    except UnicodeEncodeError:
        symbol = _PLAIN_ICONS[light]
    return f"[bold {_COLOURS[light]}]{symbol}[/]"
