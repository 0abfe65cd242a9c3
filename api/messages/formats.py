"""Formats of texts that no JSON schema can describe, by name: what the OpenAPI document says of ids and filters."""

from typing import Annotated, Any

from pydantic import Field

from recsys.engine.filters.parsing import MAX_TEXT

ID_FORMAT, FILTER_FORMAT, NAME_FORMAT, NAMES_FORMAT = (
    "recsys-id",
    "recsys-filter",
    "recsys-attribute",
    "recsys-attributes",
)

FORMATS = f"""\
Formats of texts: `{ID_FORMAT}` has 1 to 256 bytes of UTF-8, without NUL where it is kept. `{FILTER_FORMAT}` is a \
condition on the items' attributes, in the language of docs/filters.md, such as `price < 20 and category = "Mugs"`. \
`{NAME_FORMAT}` is the name of an attribute of the items, `{NAMES_FORMAT}` several of them between commas.
"""
"""What the document says of them."""


def of_format(name: str, **more: Any) -> Any:
    """What a field with this format has in its schema."""
    return Field(json_schema_extra={"format": name, **more})


Filter = Annotated[str, of_format(FILTER_FORMAT, maxLength=MAX_TEXT)]
"""A filter; the engine reads it, and refuses what is none."""
