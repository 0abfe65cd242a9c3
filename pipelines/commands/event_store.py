"""The event store of commands that only read it."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from recsys.errors import ConfigError

if TYPE_CHECKING:
    from recsys.event_store.database import Database

VARIABLE = "RECSYS_EVENTS"

Events = Annotated[
    str | None,
    typer.Option(
        "--events",
        envvar=VARIABLE,
        show_envvar=False,
        help="the event store of the service: a file, or postgresql://USER@HOST/NAME; default: $RECSYS_EVENTS",
        show_default=False,
    ),
]


def open_events(where: str) -> "Database":
    """The event store. Raises ConfigError if it is a file that is not there: reading makes none."""
    from recsys.address import is_address
    from recsys.event_store.database import open_database

    if not is_address(where) and not Path(where).is_file():
        raise ConfigError(
            f"--events {where}: no such file; expected what `recsys serve --events` was given, a file or a URL"
        )
    return open_database(where)


def required(where: str | None) -> str:
    """`where`. Raises ConfigError if it is not given."""
    if not where:
        raise ConfigError(f"--events: not given, and ${VARIABLE} is not set; expected the service's event store")
    return where
