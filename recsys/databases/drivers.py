"""Which driver reads which database, by the scheme of its address."""

from dataclasses import dataclass

from recsys.errors import ConfigError
from recsys.suggestions import nearest_name


@dataclass(frozen=True)
class Driver:
    """`module`: imported to connect (ADBC's DBAPI). `package`: which has it, in `extra`. `example`: of an address.

    `is_file`: whether an address names a file, as in `sqlite:///folder/shop.db`; four slashes begin an absolute path.
    """

    module: str
    package: str
    example: str
    extra: str = "sql"
    is_file: bool = False


DRIVERS = {
    "postgresql": Driver(
        "adbc_driver_postgresql.dbapi", "adbc-driver-postgresql", "postgresql://user:${PGPASSWORD}@host/database"
    ),
    "sqlite": Driver("adbc_driver_sqlite.dbapi", "adbc-driver-sqlite", "sqlite:///data/shop.db", is_file=True),
    "snowflake": Driver(
        "adbc_driver_snowflake.dbapi",
        "adbc-driver-snowflake",
        "snowflake://user:${SNOWFLAKE_PASSWORD}@account/database/schema?warehouse=name",
        extra="snowflake",
    ),
    "bigquery": Driver(
        "adbc_driver_bigquery.dbapi", "adbc-driver-bigquery", "bigquery://project/dataset", extra="bigquery"
    ),
    "duckdb": Driver(
        "adbc_driver_duckdb.dbapi", "duckdb", "duckdb:///data/shop.duckdb", extra="duckdb", is_file=True
    ),
}
"""By scheme. PostgreSQL's is part of the extra `sql`; SQLite's is always there."""

_SAME = {"postgres": "postgresql"}


def kind_of(scheme: str) -> str:
    """The name in DRIVERS of a scheme. Raises ConfigError, with the nearest one, if no driver reads it."""
    kind = _SAME.get(scheme, scheme)
    if kind not in DRIVERS:
        nearest = nearest_name(scheme, (*DRIVERS, *_SAME))
        hint = f"; did you mean {nearest}://?" if nearest else ""
        raise ConfigError(
            f"no database is read by {scheme}://{hint}; known: {', '.join(f'{it}://' for it in DRIVERS)}"
        )
    return kind
