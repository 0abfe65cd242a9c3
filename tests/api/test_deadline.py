"""A request ends in time, and work for clients that have gone ends between two questions."""

import asyncio
import json
import threading

import pytest

from api.deadline import Deadline, in_thread
from api.errors import ClientGoneError, DeadlineExceededError
from api.settings import Settings
from recsys.artifacts.registry import Registry
from recsys.engine import Engine, Question
from recsys.engine.pages import Page, build_page
from recsys.engine.scenarios import Row

BATCH = "/v1/recommendations:batch"
FOREVER = 30.0


class StoppedError(Exception):
    pass


def stop_after(n):
    """A check that stops when it is called the n-th time."""
    calls = iter(range(1, n + 1))

    def check():
        if next(calls, n) == n:
            raise StoppedError

    return check


@pytest.fixture(scope="module")
def engine(store):
    return Engine(Registry(store).load())


class TestEngine:
    @pytest.mark.parametrize("n", [1, 10, 65, 150])
    def test_a_batch_stops_between_two_questions(self, engine, n):
        looked_at = 0

        class Counted(Question):
            def check(self):
                nonlocal looked_at
                looked_at += 1
                super().check()

        with pytest.raises(StoppedError):
            engine.ask_many([Counted(k=1) for _ in range(500)], check=stop_after(n))
        assert looked_at < n

    def test_a_page_stops_between_two_rows(self, engine):
        rows = tuple(Row(kind="for_you", k=1) for _ in range(10))
        with pytest.raises(StoppedError):
            build_page(engine, Page(question=Question(), rows=rows), check=stop_after(10))
        assert len(build_page(engine, Page(question=Question(), rows=rows), check=stop_after(11)).warnings) <= 10

    def test_questions_of_one_filter_are_answered_as_they_are_alone(self, engine):
        texts = ["price < 20", 'title contains "dune"', None]
        questions = [Question(user_id="ada", filter=texts[at % 3], k=1 + at % 2) for at in range(200)]
        alone = {(each.filter, each.k): engine.ask(each) for each in questions[:6]}
        assert engine.ask_many(questions) == [alone[each.filter, each.k] for each in questions]


def body_then(*messages):
    """A client that sends a body, and then what is in `messages`; after that nothing."""
    waiting = [*messages]

    async def receive():
        if not waiting:
            await asyncio.sleep(FOREVER)
        return waiting.pop(0)

    return receive


GONE = {"type": "http.disconnect"}


class TestDeadline:
    def run(self, steps, *, leaves=False, seconds=FOREVER):
        """How many `steps` were taken in a thread, and how the request ended. The client leaves after the first."""
        taken, begun, noticed = 0, threading.Event(), threading.Event()

        def work(check):
            nonlocal taken
            for _ in range(steps):
                check()
                taken += 1
                begun.set()
                assert not leaves or noticed.wait(FOREVER)

        async def receive():
            while not (leaves and begun.is_set()):
                await asyncio.sleep(0.001)
            asyncio.get_running_loop().call_soon(noticed.set)
            return GONE

        async def answer():
            async with Deadline(seconds, receive):
                await in_thread(work)

        try:
            asyncio.run(answer())
        except (ClientGoneError, DeadlineExceededError) as error:
            return taken, type(error)
        return taken, None

    def test_work_goes_on_while_the_client_waits(self):
        assert self.run(100) == (100, None)

    def test_work_stops_when_the_client_has_gone(self):
        assert self.run(100, leaves=True) == (1, ClientGoneError)

    def test_work_that_begins_too_late_is_not_begun(self):
        assert self.run(100, seconds=0.0) == (0, DeadlineExceededError)

    def test_waiting_on_the_event_loop_ends_too(self):
        async def wait():
            async with Deadline(0.01, body_then()):
                await asyncio.sleep(FOREVER)

        with pytest.raises(DeadlineExceededError):
            asyncio.run(wait())

    def test_the_time_begins_when_the_body_has_come(self):
        async def wait():
            async with Deadline(0.02, body_then(), body_seconds=FOREVER) as deadline:
                deadline.restart()
                await asyncio.sleep(FOREVER)

        with pytest.raises(DeadlineExceededError):
            asyncio.run(wait())


def counts(service, name):
    lines = [line for line in service.get("/metrics").text.splitlines() if line.startswith(name)]
    return {line.split()[0]: float(line.split()[1]) for line in lines}


def send_and_leave(service, path, body):
    """Send a request to the application and close the connection when its body has been read."""
    raw = json.dumps(body).encode()
    sent = []

    async def send(message):
        sent.append(message)

    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": "POST",
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": [(b"content-length", str(len(raw)).encode())],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 80),
    }
    messages = [{"type": "http.request", "body": raw, "more_body": False}, GONE]
    service.run(service.app(scope, body_then(*messages), send))
    return sent


class TestService:
    def test_batches_whose_client_has_left_free_their_thread(self, service):
        """Eight of them: nearly all of their questions are never looked at."""
        own_filters = [{"k": 1, "filter": f'title contains "x{at}"'} for at in range(500)]
        before = counts(service, "recsys_questions_given_up_total")["recsys_questions_given_up_total"]
        assert [send_and_leave(service, BATCH, {"requests": own_filters}) for _ in range(8)] == [[]] * 8
        given_up = counts(service, "recsys_questions_given_up_total")["recsys_questions_given_up_total"] - before
        assert 8 * 500 >= given_up > 8 * 400
        assert counts(service, 'recsys_limits_reached_total{code="client_gone"')

    def test_a_batch_that_takes_too_long_is_given_up(self, start, store):
        shop = start(Settings(store=store, request_seconds=1e-6))
        reply = shop.send("POST", BATCH, json={"requests": [{"k": 1}] * 300})
        assert (reply.status_code, reply.json()["code"]) == (503, "deadline_exceeded")
        found = counts(shop, "recsys_limits_reached_total")
        assert found['recsys_limits_reached_total{code="deadline_exceeded"}'] == 1

    def test_what_the_operator_asks_for_has_no_deadline(self, start, store):
        shop = start(Settings(store=store, request_seconds=1e-6, admin_key="correct horse battery"))
        reply = shop.send("POST", "/admin/reload", headers={"Authorization": "Bearer correct horse battery"})
        assert reply.status_code == 200
