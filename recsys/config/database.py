"""DatabaseRows: the rows of a database, or of a table that Spark knows, as a section names them instead of files."""

import os
from pathlib import Path
from typing import Annotated, Any, Self

from pydantic import BeforeValidator, Field, ValidationInfo, field_validator, model_validator
from pydantic_core import PydanticCustomError

from recsys.address import Address, is_address
from recsys.config.base import Duration, Section
from recsys.databases.drivers import DRIVERS, kind_of
from recsys.databases.statements import check_reads
from recsys.errors import ConfigError
from recsys.remote import RemotePath

MISSING_ROWS = "missing_rows"
"""Type of the error about a section that names neither files nor a database."""


SPARK = Address("spark")
"""The source of the tables and views that Spark's catalogue knows."""

_OF_DATABASES = ("connect_timeout", "statement_timeout")


def unset(value: Any) -> bool:
    """Whether a key is left out; such a key is no part of a version's settings, nor of its name."""
    return value is None


def _tables_of_spark(value: Any) -> Any:
    return SPARK if value == SPARK.written else value


SourceAddress = Annotated[Address, BeforeValidator(_tables_of_spark)]
"""The address of a database, or `spark`."""


class DatabaseRows(Section):
    """The rows of a database. `[log]` and `[items]` have these keys, each for its own rows."""

    source: SourceAddress | None = Field(
        None,
        exclude_if=unset,
        description="a database instead of files, such as `postgresql://user:${PGPASSWORD}@host/database`; "
        "`${NAME}` stands for an environment variable (docs/sources.md); `spark`: tables and views of the catalogue "
        "of Spark, with `compute.engine` (docs/spark.md)",
    )
    query: str | None = Field(
        None, min_length=1, exclude_if=unset, description="of a database or of Spark: the SELECT whose rows are read"
    )
    table: str | None = Field(
        None,
        min_length=1,
        exclude_if=unset,
        description="of a database or of Spark: the table or view that is read, such as `events` or `shop.events`",
    )
    connect_timeout: Duration = Field(
        15,
        gt=0,
        le=3_600,
        exclude_if=lambda value: value == 15,
        description="of a database: an attempt to connect that takes longer fails",
    )
    statement_timeout: Duration = Field(
        3_600,
        gt=0,
        le=1_728_000,
        exclude_if=lambda value: value == 3_600,
        description="of a database: a read that takes longer fails",
    )

    @property
    def of_database(self) -> bool:
        """Whether the rows are those of a database, or of a table of Spark."""
        return self.source is not None

    @property
    def of_spark(self) -> bool:
        """Whether the rows are those of a table that Spark's catalogue knows."""
        return self.source == SPARK

    @field_validator("source")
    @classmethod
    def _has_a_driver(cls, address: Address | None, info: ValidationInfo) -> Address | None:
        return checked_address(address, base=(info.context or {}).get("base", Path.cwd()))

    @field_validator("query")
    @classmethod
    def _is_a_select(cls, query: str | None) -> str | None:
        return checked_query(query)

    @model_validator(mode="after")
    def _names_its_rows(self) -> Self:
        if self.source is not None and (self.query is None) == (self.table is None):
            both = "both are given" if self.query else "none is given"
            raise ValueError(f"source: expected either `query` or `table`; {both}")
        if self.source is None and (self.query or self.table):
            raise ValueError(f"{'query' if self.query else 'table'}: needs `source`, the address of a database")
        return self

    @model_validator(mode="after")
    def _has_no_connection_to_spark(self) -> Self:
        if self.of_spark and (given := [key for key in _OF_DATABASES if key in self.model_fields_set]):
            raise ValueError(f'{given[0]}: is of a database; source = "spark" has no connection of its own')
        return self


def _event_store(value: Any, info: ValidationInfo) -> Any:
    """The address of an event store; a path is a file of SQLite, and starts at the configuration file's folder."""
    if not isinstance(value, str) or is_address(value):
        return value
    base = (info.context or {}).get("base", Path.cwd())
    return Address(f"sqlite:///{os.path.normpath(base / value)}")


EventStoreAddress = Annotated[Address, BeforeValidator(_event_store)]
"""Where the events of a service are kept."""


def files_or_database(paths: tuple[Path | RemotePath, ...], info: ValidationInfo) -> tuple[Path | RemotePath, ...]:
    """The paths of a section, which has either these or a `source`. Raises if it has both or none."""
    if "source" not in info.data:  # which is wrong itself, and told
        return paths
    if not paths and info.data["source"] is None and info.data.get("events") is None:
        raise PydanticCustomError(MISSING_ROWS, "missing; expected files, or a database: source, with query or table")
    if paths and info.data["source"] is not None:
        raise ValueError("expected either files or a database (source), not both")
    return paths


def checked_query(query: str | None) -> str | None:
    """The query. Raises ValueError if it is no SELECT."""
    try:
        if query is not None:
            check_reads(query)
    except ConfigError as error:
        raise ValueError(str(error)) from None
    return query


def checked_address(address: Address | None, *, base: Path) -> Address | None:
    """The address; a relative path of a file in it starts at `base`.

    Raises ValueError if no driver reads its scheme. A variable that stands for a whole address is not looked up: it
    may be set only where the job runs.
    """
    if address is None or address == SPARK or address.written.startswith("$"):
        return address
    scheme, _, rest = address.written.partition("://")
    try:
        driver = DRIVERS[kind_of(scheme.lower())]
    except ConfigError as error:
        hint = '; tables of Spark\'s catalogue: source = "spark"' if "spark" in scheme.lower() else ""
        raise ValueError(f"{error}{hint}") from None
    if not driver.is_file:
        return address
    if not rest.startswith("/"):
        raise ValueError(f"expected three slashes before a path, as in {driver.example}")
    return Address(f"{scheme}:///{os.path.normpath(base / rest[1:])}")
