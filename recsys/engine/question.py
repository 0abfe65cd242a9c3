"""Question: everything one list can be asked for with."""

from dataclasses import dataclass

from recsys.engine.bounds import check_id, check_k
from recsys.engine.events import Event


@dataclass(frozen=True, kw_only=True)
class Question:
    """Who wants a list, and which.

    `user_id`: whose stored history counts; None for a visitor. `events`: what they did beside that. Where both are
    given, they are one history. `exclude_seen`: leave out what is stored of the user, and the items of `events`.
    `explain`: give each item its reasons.
    """

    user_id: str | None = None
    events: tuple[Event, ...] = ()
    k: int = 10
    exclude_seen: bool = True
    explain: bool = False

    def check(self) -> None:
        """Raise InvalidRequestError where a bound is not kept; events are checked as they are weighed."""
        check_k(self.k)
        if self.user_id is not None:
            check_id(self.user_id, "user_id")
