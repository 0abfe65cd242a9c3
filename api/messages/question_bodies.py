"""Bodies that ask for lists for users."""

from typing import Annotated

from pydantic import Field

from api.messages.body import Body, FieldNames, Id, K, Many, ProfileBody
from api.messages.queries import EXCLUDE_SEEN, FRESH, NEW_SHARE, SESSION, FilterText
from recsys.engine import Question
from recsys.engine.question import MAX_BOOST, MAX_BOOSTED, MAX_CANDIDATES, MAX_LISTED

MAX_BATCH, MAX_BATCH_ITEMS = 1_000, 20_000
"""The most requests of a batch, and the most items that they may ask for together."""


class QuestionBody(ProfileBody):
    """A list for a user, with conditions."""

    k: K = 10
    exclude_seen: bool | None = Field(None, description=f"{EXCLUDE_SEEN}. The events' items count as seen")
    filter: FilterText = None
    include: Many[Id] | None = Field(None, min_length=1, max_length=MAX_LISTED, description="list only these items")
    exclude: Many[Id] = Field([], max_length=MAX_LISTED, description="never list these items")
    boosts: dict[Id, Annotated[float, Field(ge=1 / MAX_BOOST, le=MAX_BOOST)]] = Field(
        {},
        max_length=MAX_BOOSTED,
        description="factor per item id: above 1 raises an item's score, below 1 lowers it",
    )
    diversity: float = Field(
        0.0, ge=0, le=1, description="0: the best items; 1: items as unlike each other as possible"
    )
    new_share: float | None = Field(None, ge=0, le=1, description=NEW_SHARE)
    explain: bool = Field(False, description="list each item's reasons")
    strict: bool = Field(False, description="an error instead of a fallback, a short list or unknown items")
    fields: FieldNames = Field([])
    session_id: Id | None = Field(None, description=SESSION)
    fresh: bool = Field(True, description=FRESH)

    def question(self) -> Question:
        """The question as the engine takes it."""
        return Question(
            user_id=self.user_id,
            events=self.events_of_log,
            k=self.k,
            exclude_seen=self.exclude_seen,
            filter=self.filter,
            include=None if self.include is None else tuple(self.include),
            exclude=tuple(self.exclude),
            boosts=self.boosts,
            diversity=self.diversity,
            new_share=self.new_share,
            explain=self.explain,
            strict=self.strict,
            fields=tuple(self.fields),
        )


class BatchBody(Body):
    """Several lists in one request."""

    requests: Many[QuestionBody] = Field(min_length=1, max_length=MAX_BATCH)

    def prepare(self) -> None:
        """Make the events of all."""
        for request in self.requests:
            request.prepare()


class RankBody(ProfileBody):
    """Candidates to be ranked for a user."""

    item_ids: Many[Id] = Field(
        min_length=1, max_length=MAX_CANDIDATES, description="the candidates; repeats count once"
    )
    session_id: Id | None = Field(None, description=SESSION)
    fresh: bool = Field(True, description=FRESH)
