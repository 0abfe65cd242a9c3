"""`[items]`: the catalogue."""

from typing import Annotated, Literal, Self

from pydantic import Field, ValidationInfo, field_validator, model_validator

from recsys.config.base import AnyPaths, InputPaths
from recsys.config.database import DatabaseRows, files_or_database
from recsys.config.files import FileFormat
from recsys.config.ids import NULL_IDS, IdSpelling
from recsys.suggestions import unknown_key_hint

NULLS = (*NULL_IDS, "Null", "0000-00-00")
"""Default of `items.nulls`: "Null" may be a surname among ids, not among attributes."""

_TITLE = "title"


class ItemsConfig(FileFormat, DatabaseRows, IdSpelling):
    """`[items]`: titles and attributes, used in reports, filters and answers. Items without events have no vector."""

    path: InputPaths = Field(
        (),
        description="a file, a folder or a pattern, or a list of these; read in the order of their paths; required, "
        "unless `source` names a database",
    )
    id: str = Field("item", min_length=1, description="column with the item's id, written as in the log")
    title: str | None = Field(None, description="column with the title")
    attributes: tuple[Annotated[str, Field(min_length=1)], ...] = Field(
        (), description="further columns, kept as attributes"
    )
    types: dict[str, Literal["text", "number", "boolean", "date", "list"]] = Field(
        default_factory=dict,
        description='kind by attribute, such as `{price = "number", genres = "list"}`: `text`, `number`, `boolean`, '
        "`date` or `list` (of texts); of others it follows from the column's type, or from how the values look",
    )
    list_separator: str = Field(
        "|", min_length=1, description="between the members of a list in text, as in `Drama|Comedy`"
    )
    nulls: tuple[str, ...] = Field(
        NULLS, description="spellings of an unknown attribute in text; white space alone always is one"
    )
    exclude: str | None = Field(
        None,
        description='a filter (docs/filters.md), such as `category = "Postage"`: no list shows the items that pass, '
        "and their events do not count; they can still be looked up by id",
    )

    @field_validator("path")
    @classmethod
    def _instead_of_a_database(cls, path: AnyPaths, info: ValidationInfo) -> AnyPaths:
        return files_or_database(path, info)

    @model_validator(mode="after")
    def _attributes_have_columns_of_their_own(self) -> Self:
        for name in self.attributes:
            if self.attributes.count(name) > 1:
                raise ValueError(f"attributes: {name!r} is named more than once")
            if name == self.id:
                raise ValueError(f"attributes: {name!r} is the column of the id (id), which filters know as `id`")
            if self.title is not None and name == self.title:
                raise ValueError(f"attributes: {name!r} is the column of the title (title); leave it out here")
            if self.title is not None and name == _TITLE:
                raise ValueError(f"attributes: {name!r} is the name of the title's column; leave it out here")
        return self

    @model_validator(mode="after")
    def _typed_attributes_are_read(self) -> Self:
        for name in self.types:
            if name not in self.attributes:
                hint = unknown_key_hint(name, self.attributes)
                raise ValueError(f"types: {name!r} is not in attributes{hint}")
        return self
