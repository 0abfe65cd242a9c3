"""The service's settings, defined once: variables, options of `recsys serve` and documentation follow."""

import argparse
import logging
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, CliImplicitFlag, CliSettingsSource, SettingsConfigDict

from api.by_store import ByStore, joined
from api.cost import DEFAULT_BUDGET
from recsys.api_keys.records import AllowanceText
from recsys.config import DATA_DIR_VARIABLE
from recsys.config.serve import Users
from recsys.errors import ConfigError
from recsys.suggestions import nearest_name, unknown_key_hint

PREFIX = "RECSYS_"
"""Every variable is this and the field's name in capitals: `RECSYS_POLL_SECONDS`."""

METRICS_FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""The variable that names the folder in which worker processes share their metrics. prometheus_client reads it when
it is imported."""

MIN_KEY = 16
"""The fewest characters of an admin key."""

_EPILOG = """\
Example: recsys serve --store runs/demo/store --port 8000 --workers 2
         recsys serve --store s3://bucket/shop --cache /var/cache/recsys
         recsys serve --store shop=stores/shop --store blog=stores/blog

Each option is an environment variable too: RECSYS_STORE, RECSYS_POLL_SECONDS and so on; an option wins over its
variable. RECSYS_ADMIN_KEY, at least 16 characters, is a variable only: with it, POST /admin/reload,
/admin/rollback, PUT and DELETE /v1/items/{item_id} exist.
Exit codes: 0 stopped by SIGTERM or Ctrl-C; 1 unexpected; 2 an option, the store or the address is wrong.
"""

logger = logging.getLogger(__name__)


class Options(BaseModel):
    """The settings that are options of the command line and variables."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    store: ByStore = Field(
        description="folder of the published versions, or an address in an object store, such as s3://bucket/shop, "
        "which is followed into --cache; NAME=FOLDER, once per store, if there are several"
    )
    cache: Path | None = Field(
        None,
        description="folder for versions of stores in object stores; by default `recsys` in $XDG_CACHE_HOME or "
        "~/.cache; each store has a folder in it",
    )
    cache_versions: int = Field(
        3,
        ge=1,
        le=1_000,
        description="versions that stay in the cache of a store; those that serve, are held or in an experiment stay "
        "whatever their number",
    )
    cache_gib: float | None = Field(
        None, gt=0, le=1_000_000, description="GiB that stay in the cache of a store; by default what the disk holds"
    )
    host: str = Field("127.0.0.1", description="address to listen on; 0.0.0.0 for all")
    port: int = Field(8000, ge=0, le=65_535, description="port to listen on; 0 takes any free one")
    operations_port: int | None = Field(
        None,
        ge=0,
        le=65_535,
        description="port for /metrics, /docs and /admin, which --port then does not serve; 0 takes any free one; "
        "by default they are served on --port",
    )
    operations_host: str | None = Field(
        None, description="address for --operations-port to listen on; by default that of --host"
    )
    ssl_certfile: Path | None = Field(
        None, description="PEM file with the certificate, and those between it and its authority; serves HTTPS"
    )
    ssl_keyfile: Path | None = Field(
        None, description="PEM file with the key of the certificate, without a password; by default in --ssl-certfile"
    )
    ssl_ca_certs: Path | None = Field(
        None, description="PEM file with authorities; only clients with a certificate of theirs are served"
    )
    workers: int = Field(
        1, ge=1, le=256, description="processes; each loads the model for itself, its arrays are mapped, not copied"
    )
    poll_seconds: float = Field(
        2.0, gt=0, le=3600, description="time between two looks at the store for a new version"
    )
    load_seconds: float = Field(
        300.0, gt=0, le=86_400, description="time that loading a version may take; then the one that serves stays"
    )
    request_points: int = Field(
        DEFAULT_BUDGET,
        ge=1_000,
        le=100_000_000,
        description="the most points that one request may ask for, of 10 microseconds each; more is refused",
    )
    request_seconds: float = Field(
        10.0, gt=0, le=3600, description="time in which a request is answered once its body has come, or given up"
    )
    users: Users | None = Field(
        None,
        description="stored: known users are answered from the vectors of the version; fold_in: from their stored "
        "histories, so that vectors of users are neither loaded nor downloaded; by default what the version's "
        "configuration says ([serve] users)",
    )
    recall_sample: float = Field(
        0.01,
        ge=0,
        le=1,
        description="share of lists checked by exact search if the index approximates, 0 to 1; 0 turns it off",
    )
    new_items: ByStore | None = Field(
        None,
        description="file that keeps the items posted by PUT /v1/items/{item_id}; by default new-items.sqlite in the "
        "store's folder; NAME=FILE per store if there are several",
    )
    events: ByStore | None = Field(
        None,
        description="where posted events are kept: a file, which SQLite makes, or postgresql://USER@HOST/NAME; "
        "without it there are no routes of events; NAME=PLACE per store if there are several",
    )
    impressions: float = Field(
        1.0,
        ge=0,
        le=1,
        description="share of lists kept beside the events, to tell what they led to, 0 to 1; 0 turns it off",
    )
    impression_days: int = Field(90, ge=1, le=3650, description="days after which a kept list is deleted")
    address_connections: int | None = Field(
        None,
        ge=1,
        le=1_000_000,
        description="connections that one address may have per process; by default half of those of a process",
    )
    keys: str | None = Field(
        None,
        min_length=1,
        description="file of API keys, made by `recsys keys new`; with it everything under /v1 needs a key; "
        "the variable may hold the text of the file instead",
    )
    without_keys: CliImplicitFlag[bool] = Field(
        False, description="answer everybody, also on an address that others can reach; without it that needs --keys"
    )
    rate: AllowanceText | None = Field(
        None, description="what an address may ask without a key, such as 100/second; keys have limits of their own"
    )
    protect: str = Field(
        "",
        pattern="^((metrics|docs)(,(metrics|docs))?)?$",
        description="pages that need a key, too: metrics (scope metrics), docs (scope read), or metrics,docs",
    )
    explorer: Literal["on", "off"] = Field(
        "on", description="the page about the model at / and /explore; off: / leads to /docs"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="least severe messages written; info has one line per request"
    )
    log_format: Literal["text", "json"] = Field(
        "text", description="text, lines for people, or json, one object per line for programs"
    )
    root_path: str = Field(
        "",
        pattern=r"^(/[\w.~-]+)*$",
        description="path that a reverse proxy in front cuts off, such as /recsys, so that /docs works",
    )


class Settings(Options):
    """All settings of the service; as arguments they are taken as they are, whatever the environment says."""

    admin_key: Annotated[SecretStr, Field(min_length=MIN_KEY)] | None = Field(
        None,
        description="key for /admin and posted items, at least 16 characters; without one there are no such routes; "
        "NAME=KEY,NAME=KEY if stores have keys of their own",
    )

    signing_key: Annotated[SecretStr, Field(min_length=16)] | None = Field(
        None,
        description="key that versions must be signed with, at least 16 characters; without one signatures are not "
        "checked",
    )

    @property
    def protected(self) -> frozenset[str]:
        """The pages that need a key."""
        return frozenset(self.protect.split(",")) - {""}

    def to_environment(self) -> dict[str, str]:
        """The variables that give these settings back: how worker processes get them."""
        return {variable(name): _text(value) for name, value in self if value is not None}


class _OptionsSource(BaseSettings, Options):
    """Parses the command line."""

    model_config = SettingsConfigDict(cli_kebab_case=True, cli_avoid_json=True, cli_hide_none_type=True)


class _SettingsSource(BaseSettings, Settings):
    """Reads the environment, below what the command line gave."""

    model_config = SettingsConfigDict(env_prefix=PREFIX)


def load_settings(arguments: Sequence[str] = ()) -> Settings:
    """The settings of the command line's `arguments` and the environment; what neither has keeps its default.

    Raises ConfigError naming option, variable, what came and what was expected. An unknown option prints an error and
    ends the process with exit code 2, `--help` with 0.
    """
    given = CliSettingsSource(_OptionsSource, root_parser=command_line(), cli_parse_args=_joined(arguments))()
    try:
        found = _SettingsSource(**given)
    except ValidationError as error:
        raise ConfigError("\n".join(map(_explain, error.errors()))) from None  # the cause holds the secret
    settings = Settings(**{name: getattr(found, name) for name in Settings.model_fields})
    check_names(settings)
    return settings


def check_names(settings: Settings) -> None:
    """Raise ConfigError if a setting names other stores than there are, or a store's own admin key is short."""
    known = [name or "(without a name)" for name in settings.store.names]
    for name, value in settings:
        if isinstance(value, ByStore) and not {*value.names} <= {*settings.store.names}:
            (wrong, *_) = sorted({*value.names} - {*settings.store.names})
            what = f"there is no store {wrong!r}" if wrong else "expected NAME=VALUE, once per store"
            raise ConfigError(f"{flag(name)} ({variable(name)}): {what}{unknown_key_hint(wrong, known)}")
    for name in settings.store.names:
        admin_key_of(settings, name)
    places = [place for name in settings.store.names if settings.events and (place := settings.events.of(name))]
    if len(set(places)) < len(places):
        raise ConfigError(
            f"{flag('events')} ({variable('events')}): two stores have one place; expected one for each"
        )


def admin_key_of(settings: Settings, name: str) -> SecretStr | None:
    """The admin key of the store `name`, None if it has none.

    A key is given per store if it is NAME=KEY,... with names of stores only; else it is that of all stores. Raises
    ConfigError if a store's own key is too short.
    """
    if settings.admin_key is None:
        return None
    keys = [part.partition("=") for part in settings.admin_key.get_secret_value().split(",")]
    if not all(equals and store in settings.store.names for store, equals, _ in keys):
        return settings.admin_key
    own = {store: key for store, _, key in keys}.get(name)
    if own is not None and len(own) < MIN_KEY:
        raise ConfigError(f"{variable('admin_key')}: store {name!r}: expected a key of at least {MIN_KEY} characters")
    return None if own is None else SecretStr(own)


_MAY_HOLD_SECRETS = ("events", "store")


def command_line() -> argparse.ArgumentParser:
    """The parser of `recsys serve`, which `load_settings` gives the options."""
    return argparse.ArgumentParser(
        "recsys serve",
        description="Answer over HTTP from the version that the store points at, and from the next one as soon as it "
        "is published.",
        epilog=_EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )


def settings_table() -> str:
    """The settings as a Markdown table: option, variable, default, meaning."""
    rows = ["| option | variable | default | meaning |", "|---|---|---|---|"]
    for name, field in Settings.model_fields.items():
        option = f"`{flag(name)}`" if name in Options.model_fields else ""
        default = "required" if field.is_required() else _shown(field.default)
        rows.append(f"| {option} | `{variable(name)}` | {default} | {field.description} |")
    return "\n".join(rows)


def variable(name: str) -> str:
    """The environment variable of one setting."""
    return PREFIX + name.upper()


def flag(name: str) -> str:
    """The command line's option for one setting."""
    return "--" + name.replace("_", "-")


def warn_of_unknown(environ: Mapping[str, str] = os.environ) -> None:
    """Log a warning for each variable that has the prefix but is not a setting; most likely it is misspelt."""
    known = [variable(name) for name in Settings.model_fields]
    for name in sorted(environ):
        if name.startswith(PREFIX) and name not in (*known, DATA_DIR_VARIABLE):
            # Compared without the prefix, which makes any two of them alike.
            nearest = nearest_name(name.removeprefix(PREFIX), (it.removeprefix(PREFIX) for it in known))
            hint = f"did you mean {PREFIX}{nearest}?" if nearest else f"known here: {', '.join(known)}"
            logger.warning("%s is not a setting of the service and has no effect; %s", name, hint)


def _joined(arguments: Sequence[str]) -> list[str]:
    """`arguments` with each option that is given per store once. Raises ConfigError."""
    per_store = [name for name, field in Options.model_fields.items() if "ByStore" in str(field.annotation)]
    try:
        return joined(list(arguments), tuple(map(flag, per_store)))
    except ValueError as error:
        raise ConfigError(str(error)) from None


def _text(value: object) -> str:
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


def _shown(default: object) -> str:
    if default in (None, ""):
        return "none"
    return f"`{default:g}`" if isinstance(default, float) else f"`{default}`"


def _explain(problem: ErrorDetails) -> str:
    """One error of pydantic's, without the value of a secret."""
    name = str(problem["loc"][0])
    description = Settings.model_fields[name].description
    if name not in Options.model_fields:
        return f"{variable(name)}: expected {description}"
    where = f"{flag(name)} ({variable(name)})"
    if problem["type"] == "missing":
        return f"{where}: not given; expected {description}"
    if name in _MAY_HOLD_SECRETS:
        return f"{where}: {_said(problem) or f'expected {description}'}"
    return f"{where}: got {problem['input']!r}; {problem['msg'].replace('Input should be', 'expected')}"


def _said(problem: ErrorDetails) -> str | None:
    """What `ByStore` raised, which repeats no value; None of an error of pydantic's own."""
    return problem["msg"].removeprefix("Value error, ") if problem["type"] == "value_error" else None
