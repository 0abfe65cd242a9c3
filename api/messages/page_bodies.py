"""The body that asks for a page."""

from typing import Self

from pydantic import Field, model_validator

from api.messages.body import FieldNames, Id, Many, ProfileBody
from api.messages.queries import EXCLUDE_SEEN, FRESH, SESSION
from recsys.engine import Question
from recsys.engine.question import MAX_LISTED
from recsys.engine.scenarios import MAX_ROWS, Row


class PageBody(ProfileBody):
    """Several rows for one user: those of the request, or those of a scenario."""

    rows: Many[Row] = Field([], max_length=MAX_ROWS, description="the rows, from top to bottom; or name a scenario")
    scenario: Id | None = Field(None, description="name of a page in the store's scenarios.toml, instead of rows")
    item_id: Id | None = Field(None, description="item that the page shows; no row lists it")
    exclude: Many[Id] = Field([], max_length=MAX_LISTED // 2, description="never list these items")
    exclude_seen: bool | None = Field(None, description=f"{EXCLUDE_SEEN}. The events' items count as seen")
    keep_empty: bool | None = Field(None, description="list rows without items, too; default: as the scenario says")
    fields: FieldNames = Field([])
    session_id: Id | None = Field(None, description=SESSION)
    fresh: bool = Field(True, description=FRESH)

    @model_validator(mode="after")
    def _has_one_layout(self) -> Self:
        if bool(self.rows) == (self.scenario is not None):
            raise ValueError("expected either rows or a scenario")
        return self

    def question(self) -> Question:
        """What holds for every row."""
        exclude = (*self.exclude, *(() if self.item_id is None else (self.item_id,)))
        return Question(
            user_id=self.user_id,
            events=self.events_of_log,
            exclude=exclude,
            exclude_seen=self.exclude_seen,
            fields=tuple(self.fields),
        )
