"""The commands about the versions of a store: `recsys export`, `models`, `rollback`, `prune` and `serve`."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Literal

import typer

from pipelines.bounded.reports import hand_over
from pipelines.commands import rendering
from pipelines.commands.options import (
    STORE_HELP,
    AnyStore,
    Condition,
    Count,
    Json,
    Store,
    marked_filter_errors,
    store_of,
)
from recsys.errors import ConfigError

if TYPE_CHECKING:
    from recsys.artifacts.registry import Registry
    from recsys.engine import Engine
    from recsys.export import Target
    from recsys.progress import Progress
    from recsys.remote import RemotePath


def export(
    store: Store,
    out: Annotated[
        Path | None, typer.Option("--out", help="the file to write: .parquet, .csv or .jsonl", show_default=False)
    ] = None,
    to: Annotated[
        str | None,
        typer.Option(
            "--to",
            metavar="URL",
            help="instead of a file: postgresql://user@host/database/schema.table, sqlite:///file.db/table, "
            "s3://bucket/lists.parquet, redis://host/0?prefix=recs: ... `${NAME}` in it is read from the environment",
            show_default=False,
        ),
    ] = None,
    table: Annotated[
        str | None, typer.Option("--table", help="of the database, if the URL does not name it", show_default=False)
    ] = None,
    k: Count = 100,
    condition: Condition = None,
    exclude_seen: Annotated[
        bool | None,
        typer.Option(
            "--exclude-seen/--include-seen",
            help="leave out what a user already has; default: as the version was evaluated",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Write the list of every user to a file or to where it is used: user_id, item_id, rank, score, model_version."""
    from pipelines.bounded.job import tell_store, tell_targets
    from pipelines.commands.progress import listener
    from recsys.export import export_lists

    target = _target(out, to, table)
    target.check()
    tell_store(store)
    tell_targets(target)
    engine = engine_of(store)
    with listener() as progress, marked_filter_errors(condition):
        rows = export_lists(engine, target, k=k, progress=progress, filter=condition, exclude_seen=exclude_seen)
    known, folded = len(engine.user_ids), len(engine.folded_user_ids)
    of_whom = f", {folded:,} of them folded in," if folded else ""
    rendering.line(f"{rows:,} rows for {known + folded:,} users{of_whom} in {target}")


def _target(out: Path | None, to: str | None, table: str | None) -> "Target":
    """The target of the one that is given of --out and --to."""
    from recsys.address import Address, is_address
    from recsys.export import target_of
    from recsys.export.files import FileTarget

    if (out is None) == (to is None):
        raise ConfigError("expected one of --out FILE and --to URL")
    if to is None:
        if table is not None:
            raise ConfigError("--table: needs --to")
        return FileTarget(out or Path())
    if not is_address(to):
        raise ConfigError(f"--to {to}: expected a URL, as postgresql://user@host/database/table; --out takes a file")
    return target_of(Address(to), table=table)


def models(store: Store, as_json: Json = False) -> None:
    """List the versions, latest first, with metrics and verdicts. The exit code is 2 if the store is damaged."""
    registry = registry_of(store)
    from recsys.artifacts.inventory import take_inventory

    found = take_inventory(registry)
    if as_json:
        rendering.json_document(found.to_list())
    else:
        rendering.versions(store, found)
    if found.faults:
        rendering.faults(store, found)
        raise typer.Exit(2)


def report(
    version: Annotated[
        str | None, typer.Argument(help="default: the version that serves", show_default=False)
    ] = None,
    store: Annotated[AnyStore, typer.Option("--store", parser=store_of, metavar="DIR|URL", help=STORE_HELP)] = Path(
        "store"
    ),
    kind: Annotated[Literal["md", "html", "json"], typer.Option("--format", help="of the page")] = "md",
    out: Annotated[
        Path | None,
        typer.Option("--out", help="write it to this file; its ending gives the format", show_default=False),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show the evaluation report that is kept with a version."""
    from recsys.artifacts.bundle import read_report
    from recsys.artifacts.files import replace_durably
    from recsys.artifacts.manifest import REPORTS
    from recsys.storage import reason

    registry = registry_of(store)
    version = known_version(registry, version)
    ending = out.suffix.lstrip(".") if out is not None else ""
    name = REPORTS["json" if as_json else ending if ending in REPORTS else kind]
    if (text := read_report(registry.path(version), name)) is None:
        raise ConfigError(f"{store}: {version} was sealed without a report")
    if out is None:
        return rendering.text(text)
    try:
        replace_durably(out, text.encode())
    except OSError as error:
        raise ConfigError(f"--out {out}: cannot be written: {reason(error, out)}") from error
    return rendering.line(f"the report of {version} is in {out}")


def rollback(
    store: Store,
    as_json: Json = False,
    version: Annotated[
        str | None, typer.Argument(help="default: the version that served before", show_default=False)
    ] = None,
    hold: Annotated[bool, typer.Option("--hold", help="keep this version: no night replaces it")] = False,
    reason: Annotated[str, typer.Option(help="why it is held, shown by `recsys models`", show_default=False)] = "",
    release: Annotated[bool, typer.Option("--release", help="end a hold; the pointer does not move")] = False,
) -> None:
    """Let an earlier version serve again, after every file of it is verified.

    With --hold, runs go on to seal new versions, but none of them serves until --release.
    """
    registry = registry_of(store)
    if release:
        if hold or reason or version is not None:
            raise ConfigError("--release: takes no version, no --hold and no --reason")
        return _release(registry, as_json)
    if reason and not hold:
        raise ConfigError("--reason: needs --hold")
    if version is not None:
        known_version(registry, version)
    serving = registry.hold(version, reason=reason) if hold else registry.rollback(version)
    return _now_serving(registry, serving, as_json)


def sign(
    store: Store,
    version: Annotated[
        str | None, typer.Argument(help="default: the version that serves", show_default=False)
    ] = None,
) -> None:
    """Sign a version that you trust with the key in RECSYS_SIGNING_KEY, after every file of it is verified."""
    from recsys.artifacts.bundle import load_bundle
    from recsys.artifacts.signature import VARIABLE, SigningKey
    from recsys.engine.rehearsal import check_serves
    from recsys.storage import storage_errors

    if (key := SigningKey.of()) is None:
        raise ConfigError(f"{VARIABLE}: is not set; expected the key to sign with")
    registry = registry_of(store)
    named = known_version(registry, version)
    check_serves(load_bundle(registry.path(named)))
    with storage_errors(registry.path(named), doing="while the signature was written"):
        registry.sign(named, key)
    rendering.line(f"{named} is signed")


def _release(registry: "Registry", as_json: bool) -> None:
    registry.release()
    if as_json:
        return rendering.json_document({"store": str(registry), "version": registry.current(), "held": False})
    return rendering.line(f"{registry}: nothing is held; the next run publishes a new version again")


def _now_serving(registry: "Registry", version: str, as_json: bool) -> None:
    store, held = str(registry), registry.held() is not None
    if as_json:
        return rendering.json_document({"store": store, "version": version, "held": held})
    if held:
        return rendering.line(
            f"{version} serves from {store} and is held; "
            f"`recsys rollback --store {quote(store)} --release` ends the hold"
        )
    return rendering.line(f"{version} serves from {store}; the next run publishes a new version again")


def prune(
    store: Store,
    keep: Annotated[
        int,
        typer.Option("--keep", min=1, max=100_000, help="how many of the newest versions stay", show_default=False),
    ],
    dry_run: Annotated[bool, typer.Option("--dry-run", help="only list what would be removed")] = False,
    as_json: Json = False,
) -> None:
    """Remove old versions, but never one that serves, is held, or that a rollback would go to.

    `publish.keep` in a pipeline.toml does the same after each publish.
    """
    registry = registry_of(store)
    from recsys.artifacts.pruning import prune as prune_store

    found = prune_store(registry, keep, dry_run=dry_run)
    if as_json:
        return rendering.json_document({"store": str(store), "dry_run": dry_run, **found.to_dict()})
    return rendering.pruned(store, found, dry_run=dry_run)


def serve(options: typer.Context) -> None:
    """Serve a store over HTTP. A newly published version is picked up without a restart."""
    serve_forever(*options.args)


def serve_forever(*options: str) -> None:
    """Become the service: this process, or its watching parent, is replaced by `python -m api`, another program."""
    # With -P a folder named `api` in the working folder is not imported instead.
    command = [sys.executable, "-P", "-m", "api", *options]
    if hand_over(command):
        return
    sys.stdout.flush()
    os.execv(command[0], command)


def registry_of(store: "Path | RemotePath", progress: "Progress | None" = None) -> "Registry":
    """The registry of `store`. Raises ConfigError if there is no such folder."""
    if isinstance(store, Path) and not store.is_dir():
        raise ConfigError(f"--store {store}: no such folder; expected the folder that publish.store names")
    from recsys.artifacts.opening import open_registry
    from recsys.artifacts.signature import SigningKey
    from recsys.engine.rehearsal import check_serves
    from recsys.progress import silent

    return open_registry(store, check=check_serves, key=SigningKey.of(), progress=progress or silent)


def known_version(registry: "Registry", version: str | None) -> str:
    """`version`, by default the one that serves. Raises ConfigError if it is not in the store or none serves."""
    store, wanted = str(registry), version or registry.current()
    look = f"`recsys models --store {quote(store)}` lists the versions"
    if wanted is None:
        raise ConfigError(f"{store}: no version serves; {look}")
    if wanted not in registry.names():
        raise ConfigError(f"{store}: no version {wanted!r}; {look}")
    return wanted


def engine_of(store: "Path | RemotePath") -> "Engine":
    """The engine on the version that serves from `store`. Raises ConfigError if there is no such folder."""
    from pipelines.commands.progress import listener

    with nullcontext() if isinstance(store, Path) else listener() as progress:
        registry = registry_of(store, progress)
        from recsys.engine.opening import open_engine

        return open_engine(registry)
