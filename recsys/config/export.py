"""`[export]`: where a night writes every user's list after it has published."""

from pathlib import Path
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, StrictBool, ValidationInfo

from recsys.address import Address, check_field, is_address
from recsys.config.base import Section, resolved_path


def _place(value: Any, info: ValidationInfo) -> Address | Path:
    if isinstance(value, Address | Path):
        return value
    if not isinstance(value, str) or not value.strip():
        raise ValueError("expected a URL such as postgresql://user:${PGPASSWORD}@host/database/table, or a file")
    return check_field(value) if is_address(value) else resolved_path(Path(value), info)


Place = Annotated[Address | Path, BeforeValidator(_place)]
"""A URL, or a file whose path starts at the configuration file's folder."""


class ExportConfig(Section):
    """`[export]`: where a night writes every user's list after it has published; `[[export]]` for several places."""

    to: Place = Field(
        description="URL of a table, an object or a Redis server, or a file (docs/export.md); secrets as `${NAME}`, "
        "read from the environment"
    )
    table: str | None = Field(None, description="of a database, if the URL does not name it")
    k: int = Field(100, ge=1, le=1000, description="length of each list")
    exclude_seen: StrictBool | None = Field(
        None, description="leave out what a user already has; default: as the version was evaluated"
    )
    filter: str | None = Field(None, description="condition on the items' attributes (docs/filters.md)")
