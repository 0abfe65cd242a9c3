"""Which requests are admitted: by kind, each through a gate of its own, so that none keeps the others out."""

from time import perf_counter

from starlette.types import Message, Receive, Scope

from api.admission.gate import POINTS_OF_LIST, AdaptiveGate, Gate
from api.admission.traffic import Traffic
from api.cost import COST_LISTENER, expected_points
from api.errors import OverloadedError

HEAVY_POINTS = 10_000
"""Above this, a request is heavy: it takes a tenth of a second of a processor, or more."""

_HEAVY_AT_ONCE, _CHANGES_AT_ONCE = 4.0, 128.0
_CHANGES = ("/events", ":update", ":merge")
_BODILESS = ("GET", "HEAD", "DELETE", "OPTIONS")


class Ticket:
    """One request and its gate. It enters when it has arrived as a whole: slow senders hold no place."""

    def __init__(self, admission: "Admission", gate: Gate, amount: float) -> None:
        self._admission, self._gate, self._amount = admission, gate, amount
        self._entered: float | None = None

    def enter(self) -> None:
        """Raise OverloadedError if the gate has no room."""
        if self._entered is not None:
            return
        if not self._gate.enter(self._amount):
            self._admission.traffic.tally_refusal(self._gate.reason)
            raise OverloadedError
        self._entered = perf_counter()

    @property
    def is_alone(self) -> bool:
        """Whether it is the only list under way, and none has arrived in this turn of the event loop."""
        lists = self._admission.lists
        return self._gate is lists and self._entered is not None and lists.has_only(self._amount)

    def when_whole(self, receive: Receive) -> Receive:
        """`receive`, which enters when it hands over the end of the body."""

        async def receive_and_enter() -> Message:
            message = await receive()
            if message["type"] == "http.request" and not message.get("more_body", False):
                self.enter()
            return message

        return receive_and_enter

    def tell(self, points: int) -> None:
        """What the body turned out to ask for."""
        if self._gate is self._admission.lists and self._entered is not None:
            amount = self._admission.share(points)
            self._gate.correct(amount - self._amount)
            self._amount = amount

    def leave(self) -> None:
        """The request has ended."""
        if self._entered is not None:
            self._gate.leave(self._amount, perf_counter() - self._entered)


class Admission:
    """The gates of one process: lists and what is like them, large batches, and what writes."""

    def __init__(self, traffic: Traffic) -> None:
        self.traffic = traffic
        self.lists = AdaptiveGate("overloaded")
        self._heavy, self._changes = Gate("heavy", _HEAVY_AT_ONCE), Gate("changes", _CHANGES_AT_ONCE)

    @property
    def limit(self) -> float:
        """Lists that may be under way at once."""
        return self.lists.limit / POINTS_OF_LIST

    def begin(self, scope: Scope, receive: Receive) -> tuple[Ticket | None, Receive]:
        """The ticket of a request, None if it needs none, and what it receives from.

        Without a body it enters now. Raises OverloadedError.
        """
        ticket = self._ticket(scope)
        if ticket is None:
            return None, receive
        scope[COST_LISTENER] = ticket.tell
        if scope["method"] in _BODILESS:
            ticket.enter()
            return ticket, receive
        return ticket, ticket.when_whole(receive)

    def _ticket(self, scope: Scope) -> Ticket | None:
        path: str = scope["path"].removeprefix(scope.get("root_path", ""))
        if not path.startswith("/v1/"):
            return None
        if scope["method"] in ("PUT", "PATCH", "DELETE") or path.endswith(_CHANGES):
            return Ticket(self, self._changes, 1.0)
        points = expected_points(scope)
        return (
            Ticket(self, self._heavy, 1.0) if points > HEAVY_POINTS else Ticket(self, self.lists, self.share(points))
        )

    def share(self, points: int) -> float:
        """What a request counts for: no more than a half of its gate, so that it finds room while others come."""
        return min(float(points), self.lists.limit / 2)
