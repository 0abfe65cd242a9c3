"""`recsys online`: what people did with the lists."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from pipelines.commands import rendering, rendering_online
from pipelines.commands.event_store import Events, open_events, required
from pipelines.commands.options import AnyStore, Json, names_of, store_of
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from recsys.online.queries import Window

_DAYS = 14


def online(
    events: Events = None,
    store: Annotated[
        AnyStore | None,
        typer.Option(
            "--store",
            parser=store_of,
            metavar="DIR|URL",
            help="folder or address of the published versions, for the coverage",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option("--since", help="first day, such as 2026-11-01; default: 13 days ago", show_default=False),
    ] = None,
    until: Annotated[str | None, typer.Option("--until", help="last day; default: today", show_default=False)] = None,
    clicks: Annotated[
        list[str] | None,
        typer.Option("--clicks", metavar="KINDS", help="kinds of events that are clicks; default: all"),
    ] = None,
    conversions: Annotated[
        list[str] | None,
        typer.Option(
            "--conversions", metavar="KINDS", help="that are conversions; default: `log.seen_events`, or else all"
        ),
    ] = None,
    html: Annotated[Path | None, typer.Option("--html", help="write a page to this file", show_default=False)] = None,
    as_json: Json = False,
) -> None:
    """Tell by day, version and arm what people did with the lists: clicks, conversions, coverage, fallbacks.

    Days are UTC. The intervals, of 95 %, are over users.
    """
    from recsys.online.figures import online_report
    from recsys.online.trees import of_report

    database = open_events(required(events))
    sizes, seen = _of_store(store)
    window = _window(since, until, tuple(names_of(clicks)), tuple(names_of(conversions)) or seen)
    try:
        report = online_report(database, window, n_items=sizes)
    finally:
        database.close()
    if html is not None:
        from recsys.artifacts.files import replace_durably
        from recsys.evaluation.reporting.online_page import online_page

        replace_durably(html, online_page(report, source=database.shown, conversions=window.conversions).encode())
    if as_json:
        told = {"events": database.shown, "clicks": window.clicks, "conversions": window.conversions}
        return rendering.json_document({**told, **of_report(report)})
    return rendering_online.report(report, database.shown)


def _of_store(store: AnyStore | None) -> tuple[dict[str, int], tuple[str, ...]]:
    """How many items each version has, and the kinds of events that make an item seen in the one that serves."""
    if store is None:
        return {}, ()
    from pipelines.commands.store import registry_of
    from recsys.artifacts.inventory import take_inventory

    found = take_inventory(registry_of(store))
    manifests = {it.version: it.manifest for it in found.versions if it.manifest is not None}
    sizes = {
        version: n for version, manifest in manifests.items() if isinstance(n := manifest.counts.get("items"), int)
    }
    serving = manifests.get(found.serving or "")
    log = serving.config.get("log") if serving is not None else None
    seen = log.get("seen_events") if isinstance(log, dict) else None
    return sizes, tuple(map(str, seen)) if isinstance(seen, list) else ()


def _window(since: str | None, until: str | None, clicks: tuple[str, ...], conversions: tuple[str, ...]) -> "Window":
    from recsys.event_store.impressions import DAY
    from recsys.online.queries import Window

    today = time.time() // DAY * DAY
    end = (today if until is None else _day("--until", until)) + DAY
    start = end - _DAYS * DAY if since is None else _day("--since", since)
    if start >= end:
        raise ConfigError(f"--since {since}: is after --until {until or 'today'}")
    return Window(start, end, clicks, conversions)


def _day(option: str, text: str) -> float:
    try:
        return datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise ConfigError(f"{option} {text}: expected a day such as 2026-11-01") from None
