"""What is known of items."""

from dataclasses import dataclass

from recsys.client.replies.base import Attributes, Reply


@dataclass(frozen=True, kw_only=True)
class ItemDescription:
    """What is known of one item; `n_users`: in the training data."""

    item_id: str
    title: str | None = None
    attributes: Attributes
    n_users: int
    has_vector: bool
    new: bool | None = None


@dataclass(frozen=True, kw_only=True)
class ItemReply(ItemDescription, Reply):
    """What is known of one item."""


@dataclass(frozen=True, kw_only=True)
class ItemsReply(Reply):
    """What is known of several items, in the order asked."""

    items: tuple[ItemDescription, ...]
    unknown_items: tuple[str, ...] | None = None


@dataclass(frozen=True, kw_only=True)
class FoundItem:
    """An item found by name; `by`: `id`, `title` or `similar_title`."""

    item_id: str
    title: str | None = None
    n_users: int
    by: str


@dataclass(frozen=True, kw_only=True)
class ItemsFoundByName(Reply):
    """Items found by title or id, best first."""

    items: tuple[FoundItem, ...]


@dataclass(frozen=True, kw_only=True)
class ForgottenItem(Reply):
    """A posted item that is listed no longer."""

    item_id: str


@dataclass(frozen=True, kw_only=True)
class RefusedUpdate:
    """An update that was not made; `index`: its place in the request, from 0."""

    index: int
    code: str


@dataclass(frozen=True, kw_only=True)
class ItemsUpdated(Reply):
    """What became of several updates; `updated`: how many were made."""

    updated: int
    refused: tuple[RefusedUpdate, ...]


@dataclass(frozen=True, kw_only=True)
class Place:
    """Where one item is on the map."""

    item_id: str
    x: float
    y: float
    title: str | None = None
    attributes: Attributes | None = None


@dataclass(frozen=True, kw_only=True)
class MapReply(Reply):
    """A page of the map; `n_items`: on all pages."""

    items: tuple[Place, ...]
    offset: int
    n_items: int
    warnings: tuple[str, ...]
