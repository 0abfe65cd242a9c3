"""People's data."""
# mypy: disable-error-code="empty-body"

from recsys.client.endpoint import endpoint
from recsys.client.replies import ForgottenUser, UserData


class PeopleEndpoints:
    """What is held of a user, and forgetting it."""

    @endpoint("DELETE", "/v1/users/{user_id}", for_operator=True)
    def forget_user(self, user_id: str) -> ForgottenUser:
        """Forget a user, in every worker and in the event store; versions on disk follow. Needs the API key."""

    @endpoint("GET", "/v1/users/{user_id}/data", for_operator=True)
    def get_user_data(self, user_id: str, *, limit: int | None = None) -> UserData:
        """All that the version that serves and the event store hold of a user. Needs the API key."""
