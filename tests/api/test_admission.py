"""Admission: gates, refusals that are made before parsing, their pace, and what stays open meanwhile."""

import asyncio
import contextlib
import functools
import json
import time
from collections.abc import Callable, Coroutine, Iterator

import pytest
from prometheus_client import CollectorRegistry
from starlette.types import Message

from api.admission.admission import HEAVY_POINTS, Admission
from api.admission.gate import POINTS_OF_LIST, AdaptiveGate, Gate
from api.admission.pacing import REFUSALS_PER_LIST, Pacing
from api.admission.refusal import Refuser
from api.admission.traffic import Traffic
from api.cost import COST_LISTENER
from api.errors import OverloadedError, problem_response
from tests.api.protocol_server import Running, connect, problem_of, read_reply, running

GET = b"GET /v1/model HTTP/1.1\r\nHost: x\r\n\r\n"


def in_a_loop(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """A test that is a coroutine."""

    @functools.wraps(test)
    def run(**fixtures: object) -> None:
        asyncio.run(test(**fixtures))

    return run


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def _scope(method: str, path: str, length: int | None = None) -> dict[str, object]:
    headers = [] if length is None else [(b"content-length", b"%d" % length)]
    return {"type": "http", "method": method, "path": path, "headers": headers}


def _saturate(gate: AdaptiveGate, clock: Clock, *, rate: float, seconds: float) -> None:
    """Keep the gate full while one processor answers `rate` lists per second, in the order in which they came."""
    entered: list[float] = []
    for _ in range(int(rate * seconds)):
        while gate.enter(POINTS_OF_LIST):
            entered.append(clock.now)
        clock.now += 1 / rate
        gate.leave(POINTS_OF_LIST, clock.now - entered.pop(0))
    while entered:
        gate.leave(POINTS_OF_LIST, clock.now - entered.pop(0))


@pytest.mark.parametrize(("rate", "lists"), [(2_000, 80), (10_000, 400), (100, 32), (10, 32)])
def test_the_limit_follows_from_how_fast_lists_are_made(rate: float, lists: float) -> None:
    """What is let in takes 40 ms together; the least is one batch."""
    clock = Clock()
    gate = AdaptiveGate("overloaded", clock=clock)
    _saturate(gate, clock, rate=rate, seconds=20)
    assert gate.limit / POINTS_OF_LIST == pytest.approx(lists, rel=0.25)
    assert gate.in_use == 0


def test_the_limit_falls_when_lists_take_longer() -> None:
    clock = Clock()
    gate = AdaptiveGate("overloaded", clock=clock)
    for rate, lists in ((5_000, 200), (1_000, 40)):
        _saturate(gate, clock, rate=rate, seconds=10)
        assert gate.limit / POINTS_OF_LIST == pytest.approx(lists, rel=0.25)


def test_a_gate_that_is_not_full_does_not_open_further() -> None:
    clock = Clock()
    gate = AdaptiveGate("overloaded", clock=clock)
    before = gate.limit
    for _ in range(1_000):
        gate.enter(POINTS_OF_LIST)
        clock.now += 0.01
        gate.leave(POINTS_OF_LIST, 0.001)
    assert gate.limit == before


def test_what_takes_long_by_itself_does_not_close_the_gate() -> None:
    clock = Clock()
    gate = AdaptiveGate("overloaded", clock=clock)
    _saturate(gate, clock, rate=2_000, seconds=10)
    before = gate.limit
    for _ in range(1_000):
        gate.enter(20 * POINTS_OF_LIST)
        clock.now += 0.5
        gate.leave(20 * POINTS_OF_LIST, 0.5)
    assert gate.limit == before


def test_an_empty_gate_lets_anything_in_and_a_full_one_nothing() -> None:
    gate = Gate("heavy", 2.0)
    assert gate.enter(5.0)
    assert not gate.enter(1.0)
    gate.leave(5.0, 1.0)
    assert gate.enter(1.0)
    assert not gate.is_full
    gate.reserve()
    assert gate.is_full
    gate.release()
    assert gate.enter(1.0)


@pytest.fixture
def admission() -> Admission:
    return Admission(Traffic(CollectorRegistry()))


async def _nothing() -> Message:
    raise AssertionError("nobody reads")


def test_each_kind_has_a_gate_of_its_own(admission: Admission) -> None:
    kinds = {
        "lists": _scope("GET", "/v1/users/ada/recommendations"),
        "changes": _scope("DELETE", "/v1/items/dune"),
    }
    for full, scope in kinds.items():
        tickets = []
        with pytest.raises(OverloadedError):
            while True:
                tickets.append(admission.begin(dict(scope), _nothing)[0])
        for other in kinds.keys() - {full}:
            ticket, _ = admission.begin(dict(kinds[other]), _nothing)
            assert ticket is not None
            ticket.leave()
        for path in ("/livez", "/readyz", "/metrics", "/docs", "/admin/reload"):
            assert admission.begin(_scope("GET", path), _nothing)[0] is None
        for ticket in tickets:
            assert ticket is not None
            ticket.leave()
    assert admission.begin(dict(kinds["lists"]), _nothing)[0] is not None


def test_a_list_is_alone_until_another_arrives(admission: Admission) -> None:
    scope = _scope("GET", "/v1/users/ada/recommendations")
    admission.lists.reserve()  # for the first, which has just been read
    first, _ = admission.begin(dict(scope), _nothing)
    assert first is not None and first.is_alone
    admission.lists.reserve()
    assert not first.is_alone
    admission.lists.release()
    admission.lists.release()
    assert first.is_alone
    second, _ = admission.begin(dict(scope), _nothing)
    assert second is not None and not second.is_alone and not first.is_alone
    first.leave()
    assert second.is_alone
    change, _ = admission.begin(_scope("DELETE", "/v1/users/ada"), _nothing)
    assert change is not None and not change.is_alone


@in_a_loop
async def test_slow_senders_hold_no_place(admission: Admission) -> None:
    """A request with a body enters when the body is whole."""
    parts: list[Message] = [
        {"type": "http.request", "body": b"{", "more_body": True},
        {"type": "http.request", "body": b"}", "more_body": False},
    ]

    async def receive() -> Message:
        return parts.pop(0)

    scope = _scope("POST", "/v1/rank", 2)
    ticket, receive_and_enter = admission.begin(scope, receive)
    assert ticket is not None
    await receive_and_enter()
    assert admission.lists.in_use == 0
    await receive_and_enter()
    assert admission.lists.in_use > 0
    scope[COST_LISTENER](10_000_000)  # type: ignore[operator]
    assert admission.lists.in_use == admission.lists.limit / 2
    ticket.leave()
    assert admission.lists.in_use == 0


@in_a_loop
async def test_large_batches_are_few_and_keep_no_list_out(admission: Admission) -> None:
    async def receive() -> Message:
        return {"type": "http.request", "body": b"", "more_body": False}

    n = 0
    with pytest.raises(OverloadedError):
        while True:
            _, enter = admission.begin(_scope("POST", "/v1/recommendations:batch", 2 * HEAVY_POINTS), receive)
            await enter()
            n += 1
    assert n == 4
    assert not admission.lists.is_full


PLAIN = (
    GET,
    b"GET /shop/v1/users/a/recommendations?k=3 HTTP/1.1\r\nHost: x\r\nConnection: keep-alive\r\n\r\n",
    b"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
)
CLOSER = (
    GET.replace(b" HTTP", b"\nX: y HTTP"),
    GET + GET,
    GET[:-1],
    GET[:-4] + b"\r\nContent-Length: 2\r\n\r\n",
    GET[:-4] + b"\r\nTransfer-Encoding: chunked\r\n\r\n",
    GET[:-4] + b"\r\ncontent-length : 2\r\n\r\n",
    GET[:-4] + b"\r\n content-length: 2\r\n\r\n",
    GET[:-4] + b"\nContent-Length: 2\r\n\r\n",
    GET[:-4] + b"\r\nX-Request-ID: abc\r\n\r\n",
    GET[:-4] + b"\r\nExpect: 100-continue\r\n\r\n",
    b"POST /v1/rank HTTP/1.1\r\nHost: x\r\n\r\n",
    b"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\n{}",
    b"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\n{}",
    b"POST /v1/rank HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}",
    b"POST /v1/events HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}",
)


@pytest.mark.parametrize("again", [False, True])
def test_only_what_is_plain_is_refused_before_it_is_parsed(again: bool) -> None:
    refuser = Refuser("/shop")
    for request in PLAIN * (2 if again else 1):
        assert refuser.covers(request)
        reply, goes_on = refuser.refusal(request) or (b"", False)
        assert goes_on
        assert reply.startswith(b"HTTP/1.1 503 Service Unavailable\r\n")
    for request in CLOSER:
        assert refuser.refusal(request) is None, request
    for request in (b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n", b"PUT /v1/items/a HTTP/1.1\r\n"):
        assert not refuser.covers(request)
    for request in (GET.replace(b"1.1", b"1.0"), GET[:-4] + b"\r\nConnection: close\r\n\r\n"):
        assert (refuser.refusal(request) or (b"", True))[1] is False


def test_the_early_refusal_is_the_ordinary_one() -> None:
    reply, _ = Refuser().refusal(GET) or (b"", False)
    found = problem_of(reply)
    ordinary = problem_response(OverloadedError(), request_id=str(found["request_id"]))
    assert reply.split(b"\r\n\r\n", 1)[1] == ordinary.body
    head = reply.lower()
    assert all(b"\r\n%b: %b\r\n" % (name, value.lower()) in head for name, value in ordinary.raw_headers)
    another, _ = Refuser().refusal(GET) or (b"", False)
    assert problem_of(another)["request_id"] != found["request_id"]
    to_head, _ = Refuser().refusal(GET.replace(b"GET", b"HEAD")) or (b"", False)
    assert to_head.endswith(b"\r\n\r\n")


class _Client:
    def __init__(self) -> None:
        self.refused_at, self.n_refused = -1e9, 0

    def send_refusal(self, reply: bytes, *, goes_on: bool) -> None:
        self.n_refused += 1


@in_a_loop
async def test_hasty_clients_are_refused_at_a_bounded_rate(admission: Admission) -> None:
    pacing = Pacing(admission)
    clients = [_Client() for _ in range(1_000)]
    for client in clients:
        assert pacing.refuse(client, b"", True)  # at once, the first time
    n_now = sum(pacing.refuse(client, b"", True) for client in clients)
    assert n_now < 100
    slow_turn = _Client()
    slow_turn.refused_at = time.monotonic() - 0.5  # it asked at once, but the event loop came to it late
    assert not pacing.refuse(slow_turn, b"", True)
    for _ in range(50):
        admission.lists.enter(POINTS_OF_LIST)
        admission.lists.leave(POINTS_OF_LIST, 0.001)
    n_now = sum(pacing.refuse(client, b"", True) for client in clients)
    assert n_now == 0  # those who wait go first
    assert REFUSALS_PER_LIST * 50 < 1_000


@pytest.fixture(scope="module")
def server() -> Iterator[Running]:
    with running() as server:
        yield server


def test_an_overloaded_process_refuses_and_answers_probes(server: Running) -> None:
    gate = server.control.admission.lists
    taken = gate.limit
    assert gate.enter(taken)
    try:
        with connect(server.port) as connection:
            for sent in (*PLAIN[::2], GET):
                connection.sendall(sent)
                reply = read_reply(connection)
                assert reply.startswith(b"HTTP/1.1 503 ")
                assert b"\r\nretry-after: 1\r\n" in reply
                assert problem_of(reply)["code"] == "overloaded"
            connection.sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
    finally:
        gate.leave(taken, 0.01)
    assert not [path for _, path, _ in server.seen if path.startswith("/v1")]
    with connect(server.port) as connection:
        connection.sendall(GET)
        assert read_reply(connection).startswith(b"HTTP/1.1 200 ")
    assert server.metric('recsys_refused_total{reason="overloaded"}') == 3


def test_a_reservation_does_not_outlast_its_request(server: Running) -> None:
    """Twice as many as the gate has room for, none of which enters it: the application of this server has no gate."""
    with connect(server.port) as connection:
        for _ in range(64):
            connection.sendall(GET)
            assert read_reply(connection).startswith(b"HTTP/1.1 200 ")


def test_a_connection_that_was_only_refused_is_not_kept_for_ever() -> None:
    with running(idle=0.3) as server:
        gate = server.control.admission.lists
        assert gate.enter(gate.limit)
        with connect(server.port) as connection:
            connection.sendall(GET)
            reply = b""
            while part := connection.recv(10_000):
                reply += part
        assert reply.startswith(b"HTTP/1.1 503 ")


def test_a_refused_client_may_ask_again_later() -> None:
    with running(head=0.3) as server:
        gate = server.control.admission.lists
        taken = gate.limit
        assert gate.enter(taken)
        with connect(server.port) as connection:
            connection.sendall(GET)
            assert read_reply(connection).startswith(b"HTTP/1.1 503 ")
            gate.leave(taken, 0.01)
            time.sleep(1)
            connection.sendall(GET)
            assert read_reply(connection).startswith(b"HTTP/1.1 200 ")


def test_requests_behind_a_refusal_that_waits_are_answered_after_it() -> None:
    """A hundred hasty connections: when all have been refused twice, the next refusals wait, for half a second."""
    with contextlib.ExitStack() as stack, running(most=200, most_of_address=200, head=9.0) as server:
        gate = server.control.admission.lists
        assert gate.enter(gate.limit)
        hasty = [stack.enter_context(connect(server.port)) for _ in range(100)]
        for _ in range(2):
            for connection in hasty:
                connection.sendall(GET)
            for connection in hasty:
                assert read_reply(connection).startswith(b"HTTP/1.1 503 ")
        for connection in hasty:
            connection.sendall(GET)
        time.sleep(0.01)
        hasty[-1].sendall(b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        replies = b""
        while part := hasty[-1].recv(10_000):
            replies += part
    assert replies.startswith(b"HTTP/1.1 503 ")
    assert replies.count(b"HTTP/1.1 200 OK") == 1


def test_the_whole_service_refuses_as_documented(service) -> None:  # type: ignore[no-untyped-def]
    admission = service.app.user_middleware[0].kwargs["admission"]
    taken = admission.lists.limit
    assert admission.lists.enter(taken)
    try:
        reply = service.get("/v1/users/ada/recommendations")
        assert service.get("/readyz").status_code == 200
    finally:
        admission.lists.leave(taken, 0.01)
    assert (reply.status_code, reply.headers["retry-after"]) == (503, "1")
    assert json.loads(reply.text)["code"] == "overloaded"
    assert service.get("/v1/users/ada/recommendations").status_code == 200
