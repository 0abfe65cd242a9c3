"""The client against the running service, and against servers that are away, slow, busy or strange."""

import asyncio
import contextlib
import inspect
import io
import json
import re
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
import pytest
import uvicorn

from api.app import create_app
from api.settings import Settings
from recsys import client as recsys_client
from recsys.client import (
    AsyncClient,
    Client,
    ConflictError,
    Event,
    FaultError,
    InvalidReplyError,
    InvalidRequestError,
    ItemUpdate,
    NoReplyError,
    NotFoundError,
    PostedEvent,
    Question,
    Retries,
    Row,
    UnauthorizedError,
    UnavailableError,
    UnknownItemError,
    UnknownUserError,
)
from recsys.client.retries import retry_after

KEY = "correct horse battery"
QUICK = Retries(first=0.01, longest=0.2)


@contextmanager
def running(settings: Settings) -> Iterator[str]:
    """The service on a real socket; its address."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(create_app(settings), log_level="warning", lifespan="on", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()
        listener.close()


@pytest.fixture(scope="module")
def url(store, tmp_path_factory) -> Iterator[str]:
    events = tmp_path_factory.mktemp("client") / "events.db"
    with running(Settings(store=store, events=str(events), admin_key=KEY)) as url:
        yield url


@contextmanager
def waiting(*args: Any, **options: Any) -> Iterator[Any]:
    with Client(*args, retries=options.pop("retries", QUICK), **options) as client:
        yield client


class Awaited:
    """An AsyncClient whose methods are called as those of a Client."""

    def __init__(self, client: AsyncClient, runner: asyncio.Runner) -> None:
        self._client, self._runner = client, runner

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._client, name)
        if name.startswith("with_"):
            return lambda *args: Awaited(found(*args), self._runner)

        async def ask(*args: Any, **options: Any) -> Any:
            return await found(*args, **options)

        return lambda *args, **options: self._runner.run(ask(*args, **options))


@contextmanager
def awaited(*args: Any, **options: Any) -> Iterator[Any]:
    with asyncio.Runner() as runner:
        client = AsyncClient(*args, retries=options.pop("retries", QUICK), **options)
        yield Awaited(client, runner)
        runner.run(client.aclose())


@pytest.fixture(params=[waiting, awaited], ids=["waiting", "awaited"])
def connect(request: pytest.FixtureRequest) -> Callable[..., Any]:
    """Either client, as a context."""
    made: Callable[..., Any] = request.param
    return made


def test_it_is_imported_without_the_engine() -> None:
    heavy = "numpy pyarrow pandas scipy faiss fastapi implicit psycopg recsys.engine recsys.data recsys.artifacts"
    program = f"import sys, recsys.client; print([it for it in {heavy.split()} if it in sys.modules])"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


def test_every_call_answers(connect: Callable[..., Any], url: str) -> None:
    with connect(url, api_key=KEY) as client:
        version = client.get_model().model_version
        listed = client.get_recommendations("ada", k=2, fields=["price"], exclude_seen=False)
        assert (listed.user.id, listed.user.status, listed.returned) == ("ada", "known", 2)
        assert listed.items[0].attributes == {"price": 9.5}
        assert listed.model_version == version
        visitor = client.recommend(events=[Event("dune", timestamp=datetime.now(UTC)), Event("ubik")], explain=True)
        assert visitor.user.status == "folded_in"
        assert visitor.items[0].reasons[0].item_id in {"dune", "ubik"}
        batch = client.recommend_batch([Question(user_id="ada", k=1), Question(user_id="nobody", k=3)])
        assert [answer.returned for answer in batch.answers] == [1, 3]
        assert client.rank(["AC/DC", "dune", "?"], user_id="ada").unknown_items == ("?",)
        assert client.get_similar_users("ada", k=1).users[0].user_id
        assert client.get_item("AC/DC").title == "Let There Be Rock"
        assert client.get_items(["dune", "a b", "?"]).unknown_items == ("?",)
        assert client.get_similar_items("R&B? 100% #1", k=2, by="behaviour").item.id == "R&B? 100% #1"
        assert client.get_similar_items("../livez", k=1).item.id == "../livez"
        assert client.find_similar_items(["dune"], negative=["Björk"], k=2, filter="price < 20").negative == (
            "Björk",
        )
        assert client.search_items("dune", k=1).items[0].item_id == "dune"
        assert client.get_map(limit=3, offset=1).offset == 1
        assert client.livez().status == "alive"
        assert client.readyz().model_version == version
        assert "recsys_model_info" in client.get_metrics()
        assert client.reload().model_version == version
        assert client.put_item("new", title="Dune Messiah", attributes={"price": 12.5}).new
        assert client.delete_item("new").item_id == "new"


def test_an_update_keeps_what_it_leaves_out_and_none_removes(connect: Callable[..., Any], url: str) -> None:
    with connect(url, api_key=KEY) as client:
        assert client.update_item("solaris", title="Solaris", attributes={"price": 3.5}).attributes == {"price": 3.5}
        assert client.update_item("solaris", attributes={"price": 4.0}).title == "Solaris"
        assert client.update_item("solaris", title=None).title is None
        updates = [ItemUpdate(item_id="solaris", attributes={"price": None}), ItemUpdate(item_id="?", title="no")]
        done = client.update_items(updates)
        assert (done.updated, [(it.index, it.code) for it in done.refused]) == (1, [(1, "unknown_item")])
        assert client.get_item("solaris").attributes == {}


def test_a_page_of_several_rows(connect: Callable[..., Any], url: str) -> None:
    with connect(url) as client:
        page = client.get_page(user_id="ada", rows=[Row(kind="for_you", k=2), Row(kind="popular", k=2, title="All")])
        assert [(row.index, row.kind) for row in page.rows] == [(0, "for_you"), (1, "popular")]
        listed = [item.item_id for row in page.rows for item in row.items]
        assert len(set(listed)) == len(listed) > 1


def test_events_are_kept_read_and_counted_at_once(connect: Callable[..., Any], url: str) -> None:
    with connect(url, api_key=KEY) as client:
        session = f"s-{connect.__name__}"
        shown = client.get_recommendations("nobody", k=1, session_id=session)
        event = PostedEvent(
            "ubik", event_id=session, session_id=session, recommendation_id=shown.recommendation_id, place=1
        )
        taken = client.post_events([event, PostedEvent("dune")])
        assert (taken.accepted, [(it.index, it.code) for it in taken.refused]) == (1, [(1, "missing_user")])
        assert client.post_events([event]).duplicates == 1
        assert client.get_events(session_id=session).events[0].place == 1
        user = f"who-{connect.__name__}"
        assert client.merge_session(user, session).user_id == user
        assert client.get_events(user_id=user, limit=1).events[0].item_id == "ubik"
        for _ in range(500):  # the service follows its store, every 40 ms
            if client.recommend(user_id=user).fresh_events is not None:
                break
            time.sleep(0.01)
        assert client.recommend(user_id=user).fresh_events == 1
        assert client.recommend(user_id=user, fresh=False).fresh_events is None
        with pytest.raises(ConflictError):
            client.merge_session("another", session)


def test_events_without_an_id_are_sent_once(connect: Callable[..., Any]) -> None:
    taken = (200, {}, b'{"accepted": 1, "duplicates": 0}')
    with Scripted(BUSY, taken) as server, connect(server.url) as client:
        named = PostedEvent("ubik", "ada", event_id="e1", timestamp=datetime(2026, 1, 2, tzinfo=UTC))
        assert client.post_events([named]).accepted == 1
        assert json.loads(server.came[1][3])["events"] == [
            {"item_id": "ubik", "user_id": "ada", "event_id": "e1", "timestamp": "2026-01-02T00:00:00+00:00"}
        ]
    with Scripted(BUSY, taken) as server, connect(server.url) as client:
        with pytest.raises(UnavailableError):
            client.post_events([named, PostedEvent("ubik", "ada")])
        assert len(server.came) == 1


def test_both_clients_are_called_in_the_same_way() -> None:
    client, other_client = Client("http://h"), AsyncClient("http://h")
    for name in dir(Client):
        if not name.startswith("_") and name not in {"send", "close"}:
            mine, other = getattr(client, name), getattr(other_client, name)
            assert inspect.signature(mine) == inspect.signature(other)
            assert mine.__doc__ == other.__doc__


@pytest.mark.parametrize(
    ("ask", "error", "code", "status"),
    [
        (lambda it: it.get_item("?"), UnknownItemError, "unknown_item", 404),
        (lambda it: it.get_similar_users("?"), UnknownUserError, "unknown_user", 404),
        (lambda it: it.get_recommendations("ada", k=0), InvalidRequestError, "invalid_request", 422),
        (lambda it: it.recommend(user_id="ada", k=50, strict=True), ConflictError, "incomplete_answer", 409),
        (lambda it: it.reload(), UnauthorizedError, "unauthorized", 401),
        (lambda it: it.get_items([]), InvalidRequestError, "invalid_request", 422),
        (lambda it: it.with_store("blog").get_model(), NotFoundError, "unknown_route", 404),
    ],
)
def test_a_problem_is_raised_with_its_code(
    connect: Callable[..., Any], url: str, ask: Any, error: Any, code: str, status: int
) -> None:
    with connect(url) as client, pytest.raises(error) as raised:
        ask(client.with_request_id("page-81"))
    assert (raised.value.code, raised.value.status, raised.value.request_id) == (code, status, "page-81")
    assert raised.value.detail
    assert code in str(raised.value)


def test_arguments_that_do_not_fit_are_type_errors(connect: Callable[..., Any]) -> None:
    with connect("http://127.0.0.1:1") as client:
        for wrong in (
            lambda: client.get_item(),
            lambda: client.get_item(""),
            lambda: client.get_item(7),
            lambda: client.get_item("a", k=3),
            lambda: client.rank("a", "b"),
        ):
            with pytest.raises(TypeError):
                wrong()


def test_a_store_of_several(connect: Callable[..., Any], store, tmp_path) -> None:
    (tmp_path / "empty").mkdir()
    settings = Settings(store=f"shop={store},blog={tmp_path / 'empty'}", admin_key=KEY)
    with running(settings) as url, connect(url, store="shop", api_key=KEY) as client:
        assert client.get_item("AC/DC").item_id == "AC/DC"
        assert client.reload().model_version == client.readyz().stores["shop"]
        assert client.readyz().waiting == ("blog",)
        with pytest.raises(UnavailableError, match="model_not_loaded"):
            client.with_store("blog").get_model()


class Scripted:
    """A server that gives the replies of a list, one after the other, and keeps what came."""

    def __init__(self, *replies: tuple[int, dict[str, str], bytes]) -> None:
        came = self.came = list[tuple[str, str, dict[str, str], bytes]]()
        waiting = [*replies]

        class Handler(BaseHTTPRequestHandler):
            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                came.append((self.command, self.path, {k.lower(): v for k, v in self.headers.items()}, body))
                status, headers, content = waiting.pop(0) if len(waiting) > 1 else waiting[0]
                self.send_response(status)
                for name, value in {"Content-Length": str(len(content)), **headers}.items():
                    self.send_header(name, value)
                self.end_headers()
                self.wfile.write(content)

            do_GET = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

            def log_message(self, *_: object) -> None:
                """Nothing is printed."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})

    def __enter__(self) -> "Scripted":
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()


ALIVE = (200, {}, b'{"status": "alive", "added_later": [1]}')
SERVING = (200, {}, b'{"model_version": "v1"}')
BUSY = (503, {}, b"busy")


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_question_is_asked_again_under_the_same_id(connect: Callable[..., Any], status: int) -> None:
    refusal = (status, {}, b"<html>later</html>")
    with Scripted(refusal, refusal, ALIVE) as server, connect(server.url) as client:
        assert client.livez().status == "alive"
        assert len(server.came) == 3
        assert len({headers["x-request-id"] for _, _, headers, _ in server.came}) == 1


def test_questions_in_bodies_are_asked_again_too(connect: Callable[..., Any]) -> None:
    with (
        Scripted(BUSY, (200, {}, b'{"model_version": "v1", "answers": []}')) as server,
        connect(server.url) as client,
    ):
        assert client.recommend_batch([Question(k=3)]).answers == ()
        assert [json.loads(body) for *_, body in server.came] == [{"requests": [{"k": 3}]}] * 2


def test_what_must_not_be_done_twice_is_not_sent_again(connect: Callable[..., Any]) -> None:
    with Scripted(BUSY, SERVING) as server, connect(server.url) as client:
        with pytest.raises(UnavailableError) as raised:
            client.rollback()
        assert (raised.value.code, raised.value.title) == ("", "Service Unavailable")
        assert len(server.came) == 1
    with Scripted(BUSY, SERVING) as server, connect(server.url) as client:
        assert client.rollback(version="v0123456789abcdef").model_version == "v1"
        assert server.came[1][1] == "/admin/rollback?version=v0123456789abcdef"


def test_attempts_end(connect: Callable[..., Any]) -> None:
    with Scripted(BUSY) as server, connect(server.url, retries=Retries(attempts=4, first=0.001)) as client:
        with pytest.raises(UnavailableError):
            client.livez()
        assert len(server.came) == 4


def test_retry_after_is_kept(connect: Callable[..., Any]) -> None:
    refusal, began = (503, {"Retry-After": "1"}, b""), time.monotonic()
    with Scripted(refusal, ALIVE) as server, connect(server.url, retries=Retries(first=0.01, longest=3)) as client:
        client.livez()
    assert time.monotonic() - began >= 1


@pytest.mark.parametrize(
    ("text", "low", "high"),
    [
        ("120", 120, 120),
        pytest.param(
            format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True), 2_000, 3_600, id="in an hour"
        ),
        ("Wed, 21 Oct 2015 07:28:00 GMT", 0, 0),
        ("soon", None, None),
        ("", None, None),
    ],
)
def test_retry_after_is_seconds_or_a_date(text: str, low: float | None, high: float | None) -> None:
    found = retry_after(httpx.Response(503, headers={"Retry-After": text}))
    assert found is None if low is None or high is None else found is not None and low <= found <= high


def test_a_retry_after_that_is_too_long_ends_the_attempts(connect: Callable[..., Any]) -> None:
    with Scripted((503, {"Retry-After": "3600"}, b"")) as server, connect(server.url) as client:
        with pytest.raises(UnavailableError):
            client.livez()
        assert len(server.came) == 1


def test_a_fault_is_not_asked_again(connect: Callable[..., Any]) -> None:
    with Scripted((500, {}, b"oops")) as server, connect(server.url) as client:
        with pytest.raises(FaultError, match="500 Internal Server Error"):
            client.livez()
        assert len(server.came) == 1


def test_the_key_goes_with_every_call_and_is_never_shown(connect: Callable[..., Any]) -> None:
    with Scripted(ALIVE, SERVING) as server, connect(server.url, api_key=KEY) as client:
        client.livez()
        client.reload()
        assert [headers.get("authorization") for _, _, headers, _ in server.came] == [f"Bearer {KEY}"] * 2
    assert KEY not in repr(Client("http://h", api_key=KEY))


@pytest.mark.parametrize("content", [b"<html>", b"{}", b'{"status": 3}'])
def test_what_is_no_reply_is_told(connect: Callable[..., Any], content: bytes) -> None:
    refused = pytest.raises(InvalidReplyError, match=r"GET /livez: the reply \(200\) is not as expected")
    with Scripted((200, {}, content)) as server, connect(server.url) as client, refused:
        client.livez()


def test_a_service_that_is_away(connect: Callable[..., Any]) -> None:
    with connect("http://127.0.0.1:1") as client:
        with pytest.raises(NoReplyError, match="GET /livez: ") as raised:
            client.with_request_id("page-81").livez()
        assert raised.value.request_id == "page-81"


def test_a_service_that_is_slow(connect: Callable[..., Any]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        with connect(url, timeout=30.0) as client, pytest.raises(NoReplyError, match=r"timed out|Timeout"):
            client.with_timeout(0.05).rollback()


def test_what_is_exported_is_there() -> None:
    assert all(hasattr(recsys_client, name) for name in recsys_client.__all__)


def test_the_examples_of_the_page_run(url: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / "client.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    assert len(blocks) > 3
    given: dict[str, Any] = {}
    for block in blocks:
        with contextlib.redirect_stdout(io.StringIO()):
            exec(block.replace("http://127.0.0.1:8000", url).replace("API_KEY", repr(KEY)), given)
