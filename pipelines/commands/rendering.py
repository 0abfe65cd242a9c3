"""What the command line prints: text and tables for people, one JSON document for programs.

Results go to standard output, everything else to standard error.
"""

import json
import logging
import sys
from collections.abc import Iterable
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from pipelines.commands import log

if TYPE_CHECKING:
    from pipelines.commands.doctor import Diagnosis
    from pipelines.datasets.cards import Card
    from pipelines.forecast.finding import Finding
    from pipelines.steps.summaries import StepSummary
    from recsys.artifacts.inventory import Inventory, StoredVersion
    from recsys.artifacts.manifest import Manifest
    from recsys.artifacts.pruning import Pruning
    from recsys.remote import RemotePath

# Lines are not folded in a file or a pipe.
out = Console(soft_wrap=True, highlight=False, width=None if sys.stdout.isatty() else 240)
err = Console(stderr=True, soft_wrap=True, highlight=False)


def line(text: str) -> None:
    """One line on standard output."""
    out.print(text, markup=False)


def notice(text: str) -> None:
    """One line on standard error."""
    if log.is_json():
        return log.log_line(logging.INFO, text)
    return err.print(f"{log.stamp()}{text}", markup=False)


def json_document(tree: Any) -> None:
    """One JSON document on standard output."""
    out.file.write(json.dumps(tree, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def problem(error: Exception) -> None:
    """An error, on standard error."""
    if log.is_json():
        return log.log_line(logging.ERROR, str(error), error=type(error).__name__)
    return err.print(f"[bold red]error:[/] {escape(str(error))}")


def interrupted() -> None:
    """What Ctrl-C leaves, on standard error."""
    notice("interrupted: finished steps keep their outputs, the version that serves is unchanged")


def step(summary: "StepSummary", seconds: float) -> None:
    """One line about a finished step, on standard error; in JSON the step itself logs it."""
    if not log.is_json():
        err.print(f"{log.stamp()}[bold]{summary.step:<9}[/] {escape(summary.sentence())} [dim]({seconds:.1f} s)[/]")


def path_from_here(path: Path) -> Path:
    """The path as it can be typed in the working folder: relative if it is inside."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def text(whole: str) -> None:
    """A whole page on standard output, as it is."""
    out.file.write(whole)


def versions(store: "Path | RemotePath", found: "Inventory") -> None:
    """The versions of a store; `*` marks the one that serves. A hold is told below."""
    rows = table(f"Versions in {store}", "", "version", "published", "users", "items", "metric", "verdict")
    for stored in found.versions:
        if (manifest := stored.manifest) is None:
            rows.add_row("", stored.version, "", "", "", "", f"[red]damaged:[/] {escape(_within(stored))}")
            continue
        mark = "*" if stored.version == found.serving else ""
        n_users, n_items = (_count(manifest.counts.get(what)) for what in ("users", "items"))
        facts = manifest.created_at, n_users, n_items, _headline(manifest), manifest.verdict
        rows.add_row(mark, stored.version, *map(escape, facts))
    out.print(rows)
    if found.hold is not None:
        reason = f" ({found.hold.reason})" if found.hold.reason else ""
        line(f"{found.hold.version} is held since {found.hold.at}{reason}: nights seal new versions, and none serves")


def pruned(store: "Path | RemotePath", found: "Pruning", *, dry_run: bool) -> None:
    """What was removed, what stays, and why."""
    verb = "would be removed" if dry_run else "removed"
    for version in found.removed:
        line(f"{version} {verb}")
    for version in found.protected:
        line(f"{version} stays: it serves, is held, or a rollback would go to it")
    for version in found.damaged:
        line(f"{version} stays: its manifest cannot be read; `recsys models --store {quote(str(store))}` says why")
    freed = f"{found.freed / 2**20:,.1f} MiB {'would be ' if dry_run else ''}freed"
    line(f"{store}: {len(found.kept) + len(found.protected)} versions stay, {len(found.removed)} {verb}, {freed}")


def faults(store: "Path | RemotePath", found: "Inventory") -> None:
    """What is wrong with the store, and the command that repairs it."""
    for fault in found.faults:
        err.print(f"[bold red]error:[/] {escape(fault)}")
    if found.serving is None and any(stored.manifest for stored in found.versions):
        err.print(
            f"to repair it: `recsys rollback --store {escape(quote(str(store)))} VERSION` with a version from the"
            " list"
        )


def _within(stored: "StoredVersion") -> str:
    """The damage; paths start at the version's folder."""
    damage = stored.damage or ""
    return damage.partition(f"/{stored.version}/")[2] or damage


def _count(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else ""


def _headline(manifest: "Manifest") -> str:
    """The metric that the gates compare, and coverage beside it."""
    publish = manifest.config.get("publish")
    metric = publish.get("metric") if isinstance(publish, dict) else None
    names = (metric, f"coverage@{metric.rpartition('@')[2]}") if isinstance(metric, str) else ()
    values = ((name, manifest.metrics.get(name)) for name in names)
    return ", ".join(f"{name} {value:.4f}" for name, value in values if isinstance(value, int | float))


def cards(known: Iterable["Card"]) -> None:
    """The data sets that can be fetched."""
    rows = table("Data sets (recsys fetch NAME)", "name", "what", "licence")
    for card in known:
        rows.add_row(card.name, escape(card.title), escape(card.licence))
    out.print(rows)


def findings(found: Iterable["Finding"]) -> None:
    """What `recsys doctor` found, one line each; after a problem what to do."""
    for finding in found:
        detail = escape(finding.detail).replace("\n", "\n" + " " * 19)
        out.print(f"{_MARKS[finding.status]} {finding.name:<13} {detail}")
        if finding.remedy:
            out.print(f"{'':>18} [bold]->[/] {escape(finding.remedy)}")


_MARKS = {"ok": "[green]ok[/]  ", "problem": "[bold red]FAIL[/]", "not checked": "[yellow]--[/]  "}


def diagnosis(found: "Diagnosis") -> None:
    """What is wrong with a job, its forecast, and, if it does not fit, what would make it smaller."""
    from pipelines.commands.doctor import duration_text
    from pipelines.forecast.terms import text

    findings(found.findings)
    if (forecast := found.forecast) is not None:
        peak, whose = forecast.peak, "job" if forecast.seconds else "driver"
        total = f" and takes roughly {duration_text(sum(forecast.seconds.values()))}" if forecast.seconds else ""
        line(f"the {whose} peaks at {text(peak.size)} ({peak.step}: {peak.peak.name}){total}")
    if forecast is not None and not all(map(forecast.fits, (*forecast.steps, forecast.service))):
        for each in forecast.advice:
            line(f"with {each.setting} it would peak at {text(each.size)}")
        line("docs/scale.md explains what is counted and what else makes a job smaller")
    line(_conclusion(found))


def _conclusion(found: "Diagnosis") -> str:
    n_problems = sum(not finding.fine for finding in found.findings)
    left_out = [finding.name for finding in found.findings if finding.status == "not checked"]
    but = f"; not checked: {', '.join(left_out)}" if left_out else ""
    if not n_problems:
        return f"no problem found{but}"
    problems = "one problem" if n_problems == 1 else f"{n_problems} problems"
    ends = {
        1: "the job does not fit",
        2: "a run would end with exit code 2",
        3: "publish would refuse (exit code 3)",
        4: "the export would fail (exit code 4)",
    }
    return f"{problems}: {ends[found.exit_code]}{but}"


def table(title: str, *columns: str) -> Table:
    """An empty table without borders."""
    rows = Table(title=escape(title), title_justify="left", title_style="bold", box=None, pad_edge=False)
    for column in columns:
        rows.add_column(column, overflow="fold", justify="right" if column in {"#", "score"} else "left")
    return rows
