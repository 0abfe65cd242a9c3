"""Bodies about items: comparisons, searches, views, and what the operator tells of them."""

from typing import Annotated, Self

from pydantic import Field, StringConstraints, model_validator

from api.messages.body import MAX_FIELDS, Body, FieldNames, Id, K, Many
from api.messages.queries import COMPARED_BY, FilterText
from recsys.data.items import TITLE
from recsys.engine.comparison import By
from recsys.engine.item_updates import MAX_UPDATES
from recsys.engine.posted import MAX_ATTRIBUTE_TEXT
from recsys.engine.question import MAX_COMPARED, MAX_VIEWED
from recsys.engine.text_search import MAX_TEXT

Title = Annotated[str, StringConstraints(max_length=MAX_ATTRIBUTE_TEXT)] | None


Attributes = dict[Id, str | bool | int | float | Many[str] | None]


class SimilarBody(Body):
    """Items similar to some and dissimilar to others."""

    positive: Many[Id] = Field(min_length=1, max_length=MAX_COMPARED, description="items to be similar to")
    negative: Many[Id] = Field([], max_length=MAX_COMPARED, description="items to be dissimilar to")
    k: K = 10
    filter: FilterText = None
    fields: FieldNames = Field([])
    by: By = Field("behaviour", description=COMPARED_BY)


class SearchBody(Body):
    """Items found by words."""

    text: str = Field(min_length=1, max_length=MAX_TEXT, description="words of the items wanted")
    k: K = 10
    filter: FilterText = None
    fields: FieldNames = Field([])


class ItemsBody(Body):
    """Items to be shown."""

    item_ids: Many[Id] = Field(min_length=1, max_length=MAX_VIEWED, description="the items; repeats count once")


class PostedBody(Body):
    """An item that came after the version was made."""

    title: Title = Field(None, description="left out if unknown")
    attributes: Attributes = Field(
        {}, max_length=MAX_FIELDS, description="attributes of the version's items, of the same kinds"
    )


class UpdateBody(Body):
    """New values of an item: what is not named stays, null removes a value."""

    title: Title = Field(None, description="the new title")
    attributes: Attributes = Field(
        {}, max_length=MAX_FIELDS, description="new values of attributes of the version's items, of the same kinds"
    )

    @model_validator(mode="after")
    def _tells_something(self) -> Self:
        if "title" not in self.model_fields_set and not self.attributes:
            raise ValueError("expected a title or an attribute")
        return self

    def values(self) -> dict[str, object]:
        """The new values by attribute; the title goes by "title"."""
        title: dict[str, object] = {TITLE: self.title} if "title" in self.model_fields_set else {}
        return {**title, **self.attributes}


class ItemUpdateBody(UpdateBody):
    """New values of one of several items."""

    item_id: Id


class UpdatesBody(Body):
    """New values of several items."""

    items: Many[ItemUpdateBody] = Field(
        min_length=1, max_length=MAX_UPDATES, description="in order: of two values of one attribute the later counts"
    )
