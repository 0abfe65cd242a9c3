"""`[items]`: the catalogue."""

from typing import Annotated, Any

from pydantic import BeforeValidator, Field

from recsys.config.base import FilePath
from recsys.config.files import FileFormat


def _listed(value: Any) -> Any:
    return value if isinstance(value, list | tuple) else (value,)


class ItemsConfig(FileFormat):
    """`[items]`: titles and attributes, used in reports, filters and answers. Items without events have no vector."""

    path: Annotated[tuple[FilePath, ...], BeforeValidator(_listed)] = Field(
        min_length=1,
        description="a file, a folder or a pattern, or a list of these; read in the order of their paths",
    )
    id: str = Field("item", min_length=1, description="column with the item's id, written as in the log")
    title: str | None = Field(None, description="column with the title")
    attributes: tuple[str, ...] = Field((), description="further columns, kept as attributes")
