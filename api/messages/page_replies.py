"""Pages: several rows for one user."""

from typing import Self

from pydantic import BaseModel, ConfigDict, Field

from api.messages.reply import FreshEvents, Reply, Requested, Returned
from recsys.engine import Ranked
from recsys.engine.pages import PageAnswer, PageRow
from recsys.engine.scenarios import RowKind


class PageItem(BaseModel):
    """The item that a row is about."""

    model_config = ConfigDict(frozen=True)

    item_id: str
    title: str | None = Field(None, description="left out if unknown")


class PageRowReply(BaseModel):
    """One row of a page, best first."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)

    recommendation_id: str = Field(description="name of this list, to be sent with the events that it leads to")
    index: int = Field(description="its place in the layout, from 0")
    kind: RowKind
    title: str = Field(description="heading")
    item: PageItem | None = Field(None, description="the item that the row is about, if it is about one")
    items: tuple[Ranked, ...]
    requested: Requested
    returned: Returned
    warnings: tuple[str, ...]

    @classmethod
    def of(cls, row: PageRow) -> Self:
        """The reply that carries `row`."""
        about = None if row.about is None else PageItem(item_id=row.about.item_id, title=row.about.title)
        return cls(
            recommendation_id=row.answer.recommendation_id,
            index=row.place,
            kind=row.kind,
            title=row.title,
            item=about,
            items=row.answer.items,
            requested=row.answer.requested,
            returned=len(row.answer.items),
            warnings=row.answer.warnings,
        )


class PageReply(Reply):
    """The rows of a page, from top to bottom; no item stands on it twice."""

    rows: tuple[PageRowReply, ...]
    warnings: tuple[str, ...] = Field(description="rows that are left out because they are empty, and why")
    fresh_events: FreshEvents = None

    @classmethod
    def of(cls, page: PageAnswer, *, model_version: str, fresh_events: int = 0) -> Self:
        """The reply that carries `page`."""
        rows = tuple(map(PageRowReply.of, page.rows))
        return cls(model_version=model_version, rows=rows, warnings=page.warnings, fresh_events=fresh_events or None)
