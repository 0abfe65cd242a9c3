"""Lists for users."""
# mypy: disable-error-code="empty-body"

from collections.abc import Mapping, Sequence

from recsys.client.endpoint import endpoint
from recsys.client.questions import Event, Question, Row
from recsys.client.replies import (
    BatchReply,
    PageReply,
    RankedCandidates,
    Recommendations,
    SimilarUsers,
    UserHistory,
    UsersFound,
)


class ListEndpoints:
    """Lists for users."""

    @endpoint("GET", "/v1/users/{user_id}/recommendations")
    def get_recommendations(
        self,
        user_id: str,
        *,
        k: int | None = None,
        filter: str | None = None,
        fields: Sequence[str] | None = None,
        exclude_seen: bool | None = None,
        new_share: float | None = None,
        session_id: str | None = None,
        fresh: bool | None = None,
    ) -> Recommendations:
        """The items that this user is most likely to want next. An unknown user gets the fallback, not an error."""

    @endpoint("POST", "/v1/recommendations", repeatable=True)
    def recommend(
        self,
        *,
        user_id: str | None = None,
        events: Sequence[Event] | None = None,
        k: int | None = None,
        exclude_seen: bool | None = None,
        filter: str | None = None,
        include: Sequence[str] | None = None,
        exclude: Sequence[str] | None = None,
        boosts: Mapping[str, float] | None = None,
        diversity: float | None = None,
        new_share: float | None = None,
        explain: bool | None = None,
        strict: bool | None = None,
        fields: Sequence[str] | None = None,
        session_id: str | None = None,
        fresh: bool | None = None,
    ) -> Recommendations:
        """One list with conditions: for a known user, for a visitor described by events, or for both in one."""

    @endpoint("POST", "/v1/pages", repeatable=True)
    def get_page(
        self,
        *,
        user_id: str | None = None,
        events: Sequence[Event] | None = None,
        rows: Sequence[Row] | None = None,
        scenario: str | None = None,
        item_id: str | None = None,
        exclude: Sequence[str] | None = None,
        exclude_seen: bool | None = None,
        keep_empty: bool | None = None,
        fields: Sequence[str] | None = None,
        session_id: str | None = None,
        fresh: bool | None = None,
    ) -> PageReply:
        """Several rows for one user, no item twice: `rows`, or those of a `scenario` of the store."""

    @endpoint("POST", "/v1/recommendations:batch", repeatable=True)
    def recommend_batch(self, requests: Sequence[Question]) -> BatchReply:
        """Several lists, in the order asked, all of one version outside of experiments. One error refuses all."""

    @endpoint("POST", "/v1/rank", repeatable=True)
    def rank(
        self,
        item_ids: Sequence[str],
        *,
        user_id: str | None = None,
        events: Sequence[Event] | None = None,
        session_id: str | None = None,
        fresh: bool | None = None,
    ) -> RankedCandidates:
        """The given items in the order of a user's scores; none is left out."""

    @endpoint("GET", "/v1/users/{user_id}/similar")
    def get_similar_users(self, user_id: str, *, k: int | None = None) -> SimilarUsers:
        """The users most similar to this one. Raises UnknownUserError."""

    @endpoint("GET", "/v1/users/{user_id}/history")
    def get_history(self, user_id: str, *, limit: int | None = None) -> UserHistory:
        """What the version stores of a user, the largest weight first. Raises UnknownUserError."""

    @endpoint("GET", "/v1/users:find", for_operator=True)
    def find_users(self, text: str, *, limit: int | None = None) -> UsersFound:
        """Users whose id begins with `text`. If the store has an API key, only who has it may ask."""
