"""`recsys events`: what the event store holds, and the removal of what is old."""

import time
from datetime import UTC, datetime
from typing import Annotated

import typer

from pipelines.commands import rendering
from pipelines.commands.event_store import Events, open_events, required
from pipelines.commands.options import Json
from recsys.errors import ConfigError

app = typer.Typer(no_args_is_help=True, help="Look at the event store of the service, and remove what is old.")


@app.command(epilog="Examples: `recsys events status --events events.db`, `recsys events status --json`")
def status(events: Events = None, as_json: Json = False) -> None:
    """Tell what is kept: events by kind, from when to when, users, merged sessions, lists that were given."""
    from recsys.event_store.retention import holdings

    database = open_events(required(events))
    try:
        found = holdings(database)
    finally:
        database.close()
    if as_json:
        return rendering.json_document(
            {
                "events": found.events,
                "oldest": _day(found.oldest),
                "newest": _day(found.newest),
                "by_kind": dict(found.by_kind),
                "users": found.users,
                "merged_sessions": found.sessions,
                "impressions": found.impressions,
            }
        )
    rendering.line(f"{database.shown}: {found.events:,} events of {found.users:,} users")
    if found.events:
        rendering.line(f"from {_day(found.oldest)} to {_day(found.newest)}")
    for kind, n_events in found.by_kind.items():
        rendering.line(f"  {kind or '(no kind)'}: {n_events:,}")
    return rendering.line(f"{found.sessions:,} merged sessions, {found.impressions:,} lists that were given")


@app.command(
    epilog="Examples: `recsys events prune --events events.db --keep 400d --dry-run`, "
    "`recsys events prune --events events.db --keep 400d`"
)
def prune(
    keep: Annotated[
        str, typer.Option("--keep", metavar="DURATION", help="how long events stay, such as 400d", show_default=False)
    ],
    events: Events = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="count them only")] = False,
    as_json: Json = False,
) -> None:
    """Delete the events that are older than `--keep`. The next night does not learn from them any more.

    A night with `log.events` reads what is kept, so keep events as long as the model is to remember.
    """
    from pipelines.commands.progress import listener
    from recsys.event_store.retention import prune_events

    seconds = _seconds(keep)
    before = time.time() - seconds
    database = open_events(required(events))
    try:
        with listener() as progress:
            n_events = prune_events(database, before=before, dry_run=dry_run, progress=progress)
    finally:
        database.close()
    if as_json:
        return rendering.json_document({"events": n_events, "before": _day(before), "deleted": not dry_run})
    done = "would be deleted" if dry_run else "deleted"
    return rendering.line(f"{database.shown}: {n_events:,} events of before {_day(before)} {done}")


def _seconds(text: str) -> int:
    """The duration of `--keep`. Raises ConfigError."""
    from recsys.config.base import seconds_of

    try:
        seconds = seconds_of(text)
    except ValueError as error:
        raise ConfigError(f"--keep {text}: {error}") from None
    if seconds <= 0:
        raise ConfigError(f"--keep {text}: expected more than nothing; all events would be deleted")
    return seconds


def _day(seconds: float | None) -> str | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
