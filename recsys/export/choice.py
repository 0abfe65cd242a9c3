"""Which target an address means."""

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec

from recsys.address import Address
from recsys.errors import ConfigError
from recsys.export.target import Target
from recsys.extras import install


@dataclass(frozen=True)
class _Kind:
    """One kind of target. `made_by`: module and class; it is imported only if an address asks for it."""

    schemes: tuple[str, ...]
    made_by: tuple[str, str]
    needs: str = ""
    extra: str = ""
    has_tables: bool = False


_KINDS = (
    _Kind(("postgresql", "postgres"), ("recsys.export.postgresql", "PostgresTarget"), "psycopg", "sql", True),
    _Kind(("sqlite",), ("recsys.export.sqlite", "SqliteTarget"), has_tables=True),
    _Kind(("redis", "rediss", "unix"), ("recsys.export.redis_keys", "RedisTarget"), "redis", "redis"),
    _Kind(("s3", "gs", "gcs", "abfs", "abfss"), ("recsys.export.object_store", "ObjectTarget")),
)


def target_of(address: Address, *, table: str | None = None) -> Target:
    """The target that `address` means. `table`: of a database, if the address does not name it.

    Raises ConfigError if there is none, or its package is not installed. Nothing is connected to.
    """
    scheme = address.scheme
    kind = next((each for each in _KINDS if scheme in each.schemes), None)
    if kind is None:
        known = ", ".join(f"{each.schemes[0]}://" for each in _KINDS)
        raise ConfigError(f"{address}: got {scheme}://, expected one of {known}")
    if kind.needs and find_spec(kind.needs) is None:
        raise ConfigError(f"{address}: {kind.needs} is not installed; {install(kind.extra)}")
    if table is not None and not kind.has_tables:
        raise ConfigError(f"{address}: a table is named, and {scheme}:// has none")
    module, name = kind.made_by
    make: Callable[..., Target] = getattr(import_module(module), name)
    return make(address, table) if kind.has_tables else make(address)
