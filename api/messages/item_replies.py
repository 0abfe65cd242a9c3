"""Items, and lists for items."""

from collections.abc import Mapping, Sequence
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field

from api.messages.reply import ListReply, Reply, Requested, Returned, UnknownItems, list_fields
from recsys.engine import Answer, ItemView, Ranked
from recsys.engine.item_map import MapPage, Place


class ItemRef(BaseModel):
    """The item that a list belongs to."""

    model_config = ConfigDict(frozen=True)

    id: str


class SimilarItems(ListReply):
    """An item's nearest neighbours, best first; never the item itself."""

    item: ItemRef
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, item_id: str, answer: Answer) -> Self:
        """The reply that carries `answer`."""
        return cls.model_validate({"item": {"id": item_id}, **list_fields(answer)})


class ItemsSimilarToSeveral(ListReply):
    """Items similar to `positive` and dissimilar to `negative`, best first; none of these."""

    positive: tuple[str, ...]
    negative: tuple[str, ...]
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]
    unknown_items: UnknownItems = None

    @classmethod
    def of(cls, positive: Sequence[str], negative: Sequence[str], answer: Answer) -> Self:
        """The reply that carries `answer`."""
        return cls.model_validate({"positive": tuple(positive), "negative": tuple(negative), **list_fields(answer)})


class ItemsFound(ListReply):
    """Items found by words, best first."""

    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, answer: Answer) -> Self:
        """The reply that carries `answer`."""
        return cls.model_validate(list_fields(answer))


class ItemDescription(BaseModel):
    """What is known of one item."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    item_id: str
    title: str | None = Field(None, description="left out if unknown")
    attributes: Mapping[str, object]
    n_users: int = Field(description="number of its users in the training data")
    has_vector: bool = Field(
        description="whether it has a vector, learned from its users or made from what is known of it; without one "
        "it is never recommended and has no similar items by behaviour"
    )
    new: Literal[True] | None = Field(
        None, description="true if it has no users in the training data, and a vector all the same; else left out"
    )


class ItemReply(ItemDescription, Reply):
    """What is known of one item."""

    @classmethod
    def of(cls, view: ItemView, *, model_version: str) -> Self:
        """The reply that carries `view`."""
        return cls(model_version=model_version, **vars(view))


class ForgottenItem(Reply):
    """A posted item that is listed no longer."""

    item_id: str


class RefusedUpdate(BaseModel):
    """An update that was not made."""

    model_config = ConfigDict(frozen=True)

    index: int = Field(description="its place in the request, from 0")
    code: Literal["unknown_item"] = "unknown_item"


class ItemsUpdated(Reply):
    """What became of several updates."""

    updated: int = Field(description="updates that were made")
    refused: tuple[RefusedUpdate, ...]


class ItemsReply(Reply):
    """What is known of several items, in the order asked, each once."""

    items: tuple[ItemDescription, ...]
    unknown_items: UnknownItems = None

    @classmethod
    def of(cls, views: Sequence[ItemView], unknown: tuple[str, ...], *, model_version: str) -> Self:
        """The reply that carries `views`, and the unknown ids."""
        items = tuple(ItemDescription(**vars(view)) for view in views)
        return cls(model_version=model_version, items=items, unknown_items=unknown or None)


class MapReply(Reply):
    """A page of the map of the items, those with the most users first."""

    items: tuple[Place, ...]
    offset: int = Field(description="items that were passed over")
    n_items: int = Field(description="items with a place, on all pages")
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, page: MapPage, *, offset: int) -> Self:
        """The reply that carries `page`."""
        return cls(offset=offset, **vars(page))
