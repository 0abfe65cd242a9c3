"""Items, and lists for items."""
# mypy: disable-error-code="empty-body"

from collections.abc import Mapping, Sequence

from recsys.client.endpoint import endpoint
from recsys.client.questions import Attribute, ItemUpdate
from recsys.client.replies import (
    ForgottenItem,
    ItemReply,
    ItemsFound,
    ItemsFoundByName,
    ItemsReply,
    ItemsSimilarToSeveral,
    ItemsUpdated,
    MapReply,
    SimilarItems,
)
from recsys.client.unset import UNSET, Unset


class ItemEndpoints:
    """Items, and lists for items."""

    @endpoint("GET", "/v1/items/{item_id}")
    def get_item(self, item_id: str) -> ItemReply:
        """What is known of one item. Raises UnknownItemError."""

    @endpoint("POST", "/v1/items:batch", repeatable=True)
    def get_items(self, item_ids: Sequence[str]) -> ItemsReply:
        """What is known of several items; unknown ones are named apart."""

    @endpoint("GET", "/v1/items/{item_id}/similar")
    def get_similar_items(
        self,
        item_id: str,
        *,
        k: int | None = None,
        filter: str | None = None,
        fields: Sequence[str] | None = None,
        by: str | None = None,
    ) -> SimilarItems:
        """The item's nearest neighbours. `by`: `behaviour`, `content` or `both`. Raises UnknownItemError."""

    @endpoint("POST", "/v1/items:similar", repeatable=True)
    def find_similar_items(
        self,
        positive: Sequence[str],
        *,
        negative: Sequence[str] | None = None,
        k: int | None = None,
        filter: str | None = None,
        fields: Sequence[str] | None = None,
        by: str | None = None,
    ) -> ItemsSimilarToSeveral:
        """Items similar to `positive` and dissimilar to `negative`."""

    @endpoint("POST", "/v1/items:search", repeatable=True)
    def search_items(
        self, text: str, *, k: int | None = None, filter: str | None = None, fields: Sequence[str] | None = None
    ) -> ItemsFound:
        """Items whose content is nearest to the words of `text`."""

    @endpoint("GET", "/v1/items:find")
    def find_items(self, text: str, *, limit: int | None = None) -> ItemsFoundByName:
        """Items by title or id, as somebody types: words may be cut short or misspelt."""

    @endpoint("GET", "/v1/map")
    def get_map(
        self, *, limit: int | None = None, offset: int | None = None, fields: Sequence[str] | None = None
    ) -> MapReply:
        """Two coordinates per item, in pages: items near each other are chosen by the same users."""

    @endpoint("PUT", "/v1/items/{item_id}", for_operator=True)
    def put_item(
        self, item_id: str, *, title: str | None = None, attributes: Mapping[str, Attribute] | None = None
    ) -> ItemReply:
        """Let an item that the version does not have be listed, by its title and attributes. Needs the API key."""

    @endpoint("PATCH", "/v1/items/{item_id}", repeatable=True, for_operator=True)
    def update_item(
        self,
        item_id: str,
        *,
        title: str | Unset | None = UNSET,
        attributes: Mapping[str, Attribute] | None = None,
    ) -> ItemReply:
        """Change an item; None removes a value. Needs the API key. Raises UnknownItemError."""

    @endpoint("POST", "/v1/items:update", repeatable=True, for_operator=True)
    def update_items(self, items: Sequence[ItemUpdate]) -> ItemsUpdated:
        """Change several items at once; unknown ones are refused by their place. Needs the API key."""

    @endpoint("DELETE", "/v1/items/{item_id}", for_operator=True)
    def delete_item(self, item_id: str) -> ForgottenItem:
        """Forget an item that was posted. Needs the API key."""
