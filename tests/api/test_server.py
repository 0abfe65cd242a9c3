"""The real server: processes, signals, sockets."""

import contextlib
import fcntl
import json
import os
import re
import signal
import socket
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import httpx
import pytest

from tests.api.server_process import PATIENCE, Server


class Client:
    """Asks for the model again and again, over one connection at a time, until nobody answers."""

    def __init__(self, url: str) -> None:
        self.seen: list[tuple[int, str]] = []
        self._thread = threading.Thread(target=self._ask, args=(url,))
        self._thread.start()

    def _ask(self, url: str) -> None:
        with httpx.Client(base_url=url) as client, contextlib.suppress(httpx.TransportError):
            while True:
                reply = client.get("/v1/model")
                self.seen.append((reply.status_code, reply.json()["model_version"]))

    def wait_for(self, count: int) -> None:
        while len(self.seen) < count and self._thread.is_alive():
            time.sleep(0.01)

    def until_cut_off(self) -> set[tuple[int, str]]:
        self._thread.join(PATIENCE)
        return set(self.seen)


@pytest.fixture(scope="module")
def behind_proxy(store, tmp_path_factory):
    """One worker, told that it is published under /shop, with a port for operators."""
    log = tmp_path_factory.mktemp("server") / "server.log"
    server = Server(log, "--store", str(store), "--root-path", "/shop", "--operations-port", "0")
    server.wait_for_line("Application startup complete")
    yield server
    assert server.stop() == 0, server.log


@pytest.fixture
def two_workers(tmp_path):
    """Two workers on a store without versions."""
    (tmp_path / "store").mkdir()
    options = ("--store", str(tmp_path / "store"), "--workers", "2", "--poll-seconds", "0.05")
    server = Server(tmp_path / "server.log", *options)
    yield server
    server.kill()


@pytest.mark.slow
def test_two_workers_wait_for_a_version_count_together_take_the_next_one_and_finish_what_is_under_way(
    two_workers, tmp_path, publish
):
    """One test, because each process takes a second to start."""
    assert httpx.get(f"{two_workers.url}/readyz", timeout=PATIENCE).status_code == 503
    first = publish(tmp_path / "store")
    two_workers.wait_for_line(f"serving version={first}", count=2)
    whichever_worker_is_asked_counts_for_all(two_workers, first)
    second = publish(tmp_path / "store", seed=2)
    two_workers.wait_for_line(f"serving version={second}", count=2)
    workers = set(re.findall(rf"INFO (\d+) api\.stores\.model_watch serving version={second}", two_workers.log))
    assert len(workers) == 2
    a_killed_worker_is_replaced_while_the_other_answers(two_workers, int(min(workers)), second)
    replies = Client(two_workers.url)
    replies.wait_for(20)
    assert two_workers.stop() == 0
    assert replies.until_cut_off() == {(200, second)} != {(200, first)}
    assert "Traceback" not in two_workers.log
    assert len(re.findall("route=/v1/model status=200", two_workers.log)) == len(replies.seen)


@pytest.mark.slow
def test_workers_end_with_a_supervisor_that_was_killed(two_workers):
    workers = [int(pid) for pid in re.findall(r"Started server process \[(\d+)\]", started_twice(two_workers))]
    two_workers.process.kill()
    two_workers.process.wait()
    deadline = time.monotonic() + PATIENCE
    while any(map(is_alive, workers)) and time.monotonic() < deadline:
        time.sleep(0.02)
    assert [pid for pid in workers if is_alive(pid)] == []
    assert len(re.findall("the supervisor is dead", two_workers.log)) == 2


def started_twice(server: Server) -> str:
    server.wait_for_line("Application startup complete", count=2)
    return server.log


def is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def a_killed_worker_is_replaced_while_the_other_answers(server: Server, worker: int, version: str) -> None:
    os.kill(worker, signal.SIGKILL)
    deadline, statuses = time.monotonic() + PATIENCE, set()
    while len(re.findall(f"serving version={version}", server.log)) < 3 and time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):  # a connection that the killed worker had accepted
            statuses.add(httpx.get(f"{server.url}/readyz", timeout=PATIENCE).status_code)
    assert statuses == {200}
    server.wait_for_line(f"serving version={version}", count=3)
    assert f"worker process {worker} ended with -9" in server.log


def whichever_worker_is_asked_counts_for_all(server: Server, version: str) -> None:
    for _ in range(40):  # a connection each, so that both workers get some
        assert httpx.get(f"{server.url}/v1/users/ada/recommendations").status_code == 200
    workers = set(re.findall(r"INFO (\d+) api\.access .* status=200", server.log))
    assert len(workers) == 2
    for _ in range(6):
        metrics = httpx.get(f"{server.url}/metrics").text
        assert 'recsys_lists_total{kind="recommendations",user_status="known"} 40.0' in metrics
        assert 'recsys_reloads_total{result="ok"} 2.0' in metrics
        assert "recsys_requests_in_flight 1.0" in metrics
        assert f'recsys_model_info{{version="{version}"}} 1.0' in metrics
        assert set(re.findall(r'process_resident_memory_bytes{pid="(\d+)"}', metrics)) == workers


@pytest.fixture
def with_admin(publish, tmp_path, monkeypatch):
    """One worker with an admin key, that logs JSON, on a store where there is a version to go back to."""
    publish(tmp_path / "store")
    publish(tmp_path / "store", seed=2)
    options = ("--store", str(tmp_path / "store"), "--log-format", "json")
    server = Server(tmp_path / "server.log", *options, environ={"RECSYS_ADMIN_KEY": "correct horse battery"})
    server.wait_for_line("Application startup complete")
    yield server
    if server.process.poll() is None:
        server.process.kill()
        server.process.wait()


@pytest.mark.slow
def test_a_request_under_way_is_finished_after_sigterm_and_no_new_one_begins(with_admin, tmp_path):
    """The rollback waits for its turn at the pointer, which the test has."""
    pointer = (tmp_path / "store" / ".pointer.lock").open("ab")
    fcntl.flock(pointer, fcntl.LOCK_EX)
    authorised = {"Authorization": "Bearer correct horse battery"}
    with ThreadPoolExecutor() as pool:
        reply = pool.submit(httpx.post, f"{with_admin.url}/admin/rollback", headers=authorised, timeout=PATIENCE)
        while "recsys_requests_in_flight 2.0" not in httpx.get(f"{with_admin.url}/metrics").text:
            time.sleep(0.02)
        with_admin.process.send_signal(signal.SIGTERM)
        with_admin.wait_for_line("Shutting down")
        with pytest.raises(httpx.TransportError):
            httpx.get(f"{with_admin.url}/livez", timeout=1)
        assert not reply.done()
        pointer.close()
        assert reply.result(PATIENCE).json() == {
            "model_version": (tmp_path / "store" / "CURRENT").read_text().strip()
        }
    assert with_admin.process.wait(PATIENCE) == 0
    lines = [json.loads(line) for line in with_admin.log.splitlines()]
    assert [line["status"] for line in lines if line.get("route") == "/admin/rollback"] == [200]


def test_a_reply_carries_its_headers_over_the_wire(behind_proxy):
    reply = httpx.get(f"{behind_proxy.url}/v1/items/AC%2FDC/similar", headers={"X-Request-ID": "abc"})
    assert reply.json()["item"] == {"id": "AC/DC"}
    assert reply.headers["x-request-id"] == "abc"
    assert reply.headers["x-model-version"] == reply.json()["model_version"]
    assert "server" not in reply.headers


def test_the_docs_find_their_way_behind_a_proxy(behind_proxy):
    url = _operations(behind_proxy)
    for page in (f"{url}/docs", behind_proxy.url):  # the browser knows /shop, so what a page names is relative to it
        named = re.findall(r'(?:src|href)="([^"#]+)"', httpx.get(page).text)
        assert named
        assert not [each for each in named if each.startswith("/")]
    assert httpx.get(f"{url}/explore/docs.js").status_code == 200
    assert httpx.get(f"{url}/openapi.json").json()["servers"] == [{"url": "/shop"}]


def test_operators_have_a_port_of_their_own(behind_proxy):
    url = _operations(behind_proxy)
    assert "recsys_connections" in httpx.get(f"{url}/metrics").text
    assert httpx.get(f"{url}/v1/model").json()["code"] == "unknown_route"
    assert httpx.get(f"{behind_proxy.url}/metrics").json()["code"] == "unknown_route"
    assert {httpx.get(f"{each}/readyz").status_code for each in (url, behind_proxy.url)} == {200}


def _operations(server):
    return server.wait_for_line(r"metrics, docs and /admin on (http://127\.0\.0\.1:\d+)")[1]


@pytest.mark.parametrize(
    "request_",
    [
        b"GET /v1/items/Bj\xc3\xb6rk HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"x" * 20_000,
        b"\x16\x03\x01\r\n\r\n",
    ],
    ids=["unescaped path", "endless headers", "TLS"],
)
def test_what_is_not_http_is_a_problem_too(behind_proxy, request_):
    with socket.create_connection(("127.0.0.1", behind_proxy.port)) as connection:
        connection.sendall(request_)
        reply = b"".join(iter(lambda: connection.recv(65_536), b""))
    head, body = reply.split(b"\r\n\r\n", 1)
    assert head.startswith(b"HTTP/1.1 400 Bad Request\r\n")
    assert b"content-type: application/problem+json" in head
    assert json.loads(body)["code"] == "malformed_request"
    assert f"x-request-id: {json.loads(body)['request_id']}".encode() in head
