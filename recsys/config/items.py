"""`[items]`: the catalogue."""

from pydantic import Field

from recsys.config.base import FilePaths
from recsys.config.files import FileFormat


class ItemsConfig(FileFormat):
    """`[items]`: titles and attributes, used in reports, filters and answers. Items without events have no vector."""

    path: FilePaths = Field(
        min_length=1,
        description="a file, a folder or a pattern, or a list of these; read in the order of their paths",
    )
    id: str = Field("item", min_length=1, description="column with the item's id, written as in the log")
    title: str | None = Field(None, description="column with the title")
    attributes: tuple[str, ...] = Field((), description="further columns, kept as attributes")
