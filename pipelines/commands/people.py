"""`recsys forget` and `recsys subject`: people's data, taken out of every place, or told."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from pipelines.commands import rendering
from pipelines.commands.event_store import Events
from pipelines.commands.options import AnyStore, Json, store_of
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from pipelines.forgetting.forget import Forgetting
    from pipelines.forgetting.places import Places

NOT_EVERYWHERE = 7
"""The exit code if a place may still hold people."""

_SHOWN = 10

_Store = Annotated[
    AnyStore | None,
    typer.Option(
        "--store",
        parser=store_of,
        metavar="DIR|URL",
        help="instead of CONFIG: the folder of the published versions, or its address",
        show_default=False,
    ),
]
_Who = Annotated[
    list[str] | None,
    typer.Argument(metavar="[USER] [CONFIG]", help="the user's id, and the job's pipeline.toml", show_default=False),
]


def forget(
    who: _Who = None,
    store: _Store = None,
    events: Events = None,
    users: Annotated[
        Path | None, typer.Option("--users", help="instead of USER: a file of ids, one per line", show_default=False)
    ] = None,
    pending: Annotated[
        bool, typer.Option("--pending", help="instead of USER: end what a request or a stopped command began")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only tell what would be removed")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="do not ask")] = False,
    as_json: Json = False,
) -> None:
    """Forget a user everywhere: at once in answers, then in versions, workspace, exports and the event store.

    It cannot be undone. The exit code is 7 if a place still holds something; `--pending` tries again.
    """
    from pipelines.commands.progress import listener
    from pipelines.forgetting import forget as forgetting

    ids, config = _who(who or [], users, pending=pending)
    with _opened(config, store, events) as places:
        if dry_run:
            if pending:
                raise ConfigError("--dry-run: tells of users; it does not go with --pending")
            return _tell(forgetting.foresee(places, ids), as_json, places.store, dry_run=True)
        if not (pending or yes):
            _ask(len(ids), as_json=as_json)
        with listener() as progress:
            if pending:
                done = forgetting.forget_pending(places, progress=progress)
            else:
                done = forgetting.forget(places, ids, progress=progress)
        _tell(done, as_json, places.store)
    if done.problems:
        raise typer.Exit(NOT_EVERYWHERE)
    return None


def subject(
    user: Annotated[str, typer.Argument(metavar="USER", help="the user's id", show_default=False)],
    config: Annotated[
        Path | None, typer.Argument(metavar="[CONFIG]", help="the job's pipeline.toml", show_default=False)
    ] = None,
    store: _Store = None,
    events: Events = None,
    as_json: Json = False,
) -> None:
    """Tell all that is held of a user: in versions, workspace and event store. `--json` has every value."""
    from pipelines.forgetting.subject import subject as subject_of

    with _opened(config, store, events) as places:
        found = subject_of(places, _checked(user))
    if as_json:
        return rendering.json_document(found)
    return _tell_subject(found)


@contextmanager
def _opened(config: Path | None, store: AnyStore | None, events: str | None) -> "Iterator[Places]":
    from pipelines.forgetting.places import opened
    from recsys.pipeline_config import load_config

    if (config is None) == (store is None):
        raise ConfigError("expected one of CONFIG, the job's pipeline.toml, and --store DIR")
    loaded = None if config is None else load_config(config)
    folder = store if loaded is None else loaded.publish.store
    with opened(folder or Path(), loaded, events) as places:
        yield places


def _who(given: Sequence[str], users: Path | None, *, pending: bool) -> tuple[list[str], Path | None]:
    """The ids, and the path of the configuration."""
    if pending and users is not None:
        raise ConfigError("--pending: does not go with --users")
    n_ids = 0 if pending or users is not None else 1
    if not n_ids <= len(given) <= n_ids + 1:
        expected = "[CONFIG] beside --users or --pending" if n_ids == 0 else "USER [CONFIG]"
        raise ConfigError(f"got {len(given)} arguments, expected {expected}")
    ids = [_checked(each) for each in given[:n_ids]] if users is None else _read(users)
    return ids, Path(given[n_ids]) if len(given) > n_ids else None


def _read(path: Path) -> list[str]:
    try:
        lines = path.read_text("utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"--users {path}: cannot be read: {error}") from error
    ids = [_checked(line, f"--users {path}: line {at}") for at, line in enumerate(lines, start=1) if line.strip()]
    if not ids:
        raise ConfigError(f"--users {path}: holds no id; expected one per line")
    return [*dict.fromkeys(ids)]


def _checked(user_id: str, where: str = "USER") -> str:
    from recsys.engine.ids import check_id
    from recsys.errors import InvalidRequestError

    try:
        check_id(user_id, where)
    except InvalidRequestError as error:
        raise ConfigError(str(error)) from None
    return user_id


def _ask(n_users: int, *, as_json: bool) -> None:
    people = "1 user" if n_users == 1 else f"{n_users:,} users"
    if as_json:
        raise ConfigError("--json: needs --yes, because nobody can be asked")
    if not typer.confirm(f"Forget {people} for good?", err=True):
        raise ConfigError("not confirmed: nothing has changed; --yes confirms")


def _tell(done: "Forgetting", as_json: bool, store: Path, *, dry_run: bool = False) -> None:
    if as_json:
        return rendering.json_document({"store": str(store), "dry_run": dry_run, **done.to_dict()})
    would = "would be " if dry_run else ""
    if done.at is not None:
        at = datetime.fromtimestamp(done.at, UTC).isoformat(timespec="seconds")
        rendering.line(f"{done.users:,} forgotten as of {at}: no answer names them, no night takes their rows")
    rows = f"{done.events:,} events, {done.impressions:,} lists and {done.sessions:,} sessions"
    rendering.line(f"event store: {rows} {would}removed")
    for before, now in done.rewritten.items():
        rendering.line(f"{before} {would}rewritten without them{f': it is {now} now' if now else ''}")
    for version in done.removed_versions:
        rendering.line(f"{version} removed: it was damaged, and nobody can say whom it holds")
    for name in done.workspace:
        rendering.line(f"workspace: {name} {would}removed or cleaned; the next night makes it anew")
    for target in done.exports:
        rendering.line(f"{target} {would}written again")
    for problem in done.problems:
        rendering.notice(f"NOT YET: {problem}")
    for place in done.elsewhere:
        rendering.notice(f"not reached: {place}")
    return None


def _tell_subject(found: dict[str, Any]) -> None:
    rendering.line(f"forgotten: {found['forgotten_at'] or 'no'}")
    for version in found["versions"]:
        rendering.line(_of_version(version))
        for item in version.get("history", [])[:_SHOWN]:
            rendering.line(f"    {item['item_id']} {item['title'] or ''} ({item['weight']:g})")
    if not found["versions"]:
        rendering.line("versions: none holds anything")
    if (arm := found["experiment"]) is not None:
        rendering.line(f"experiment {arm['name']}: {arm['arm']}, which follows from the id and is kept nowhere")
    if (held := found["event_store"]) is not None:
        n_sessions = len(held["sessions"])
        told = f"{held['n_events']:,} events, {held['n_impressions']:,} lists, {n_sessions:,} sessions"
        rendering.line(f"event store: {told}")
    if found["workspace"] is not None:
        rendering.line(f"workspace: {', '.join(found['workspace']) or 'nothing'}")
    for target in found["exports"]:
        rendering.line(f"export: {target} has a list, if a version does")


def _of_version(version: dict[str, Any]) -> str:
    if "problem" in version:
        return f"{version['version']}: cannot be read: {version['problem']}"
    told = [version.get("status", "not stored")]
    if version.get("vector"):
        told.append(f"a vector of {len(version['vector'])} numbers")
    if "history" in version:
        told.append(f"{len(version['history']):,} items, {len(version['seen']):,} seen")
    told += ["evaluated"] * ("evaluation" in version) + ["shown in the report"] * version["in_report"]
    return f"{version['version']}{' (serves)' if version['serves'] else ''}: {', '.join(told)}"
