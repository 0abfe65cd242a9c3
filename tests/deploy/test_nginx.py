"""deploy/nginx/users-by-hash.conf in nginx itself: a user's requests go to one replica while it is ready."""

import re
import shutil
import socket
import subprocess
import time
import urllib.request
from contextlib import ExitStack
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from tests.object_stores import serving

CONFIGURATION = Path(__file__).resolve().parents[2] / "deploy/nginx/users-by-hash.conf"


def replica(name: str, statuses: list[int]) -> type[BaseHTTPRequestHandler]:
    """A server that answers with its name, and the last of `statuses`."""

    class Answering(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            self.send_response(statuses[-1])
            self.send_header("Content-Length", str(len(name)))
            self.end_headers()
            self.wfile.write(name.encode())

        def log_message(self, format: str, *args: object) -> None:
            """Nothing."""

    return Answering


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def start(stack: ExitStack, folder: Path, replicas: list[str]) -> str:
    """nginx with the configuration as it is, but for its ports: its address."""
    port, (first, second) = free_port(), (each.partition("://")[2] for each in replicas)
    text = CONFIGURATION.read_text(encoding="utf-8")
    changes = {"127.0.0.1:8001": first, "127.0.0.1:8002": second, "127.0.0.1:8080": f"127.0.0.1:{port}"}
    for old, new in changes.items():
        assert text.count(old) == 1
        text = text.replace(old, new)
    (folder / "nginx.conf").write_text(f"pid {folder}/pid;\nerror_log {folder}/log;\ndaemon off;\n{text}")
    own = (
        f"access_log off; client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;"
    )
    own += f" uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;"
    path = folder / "nginx.conf"
    path.write_text(path.read_text().replace("http {", "http {\n" + own))
    process = stack.enter_context(subprocess.Popen(["nginx", "-p", folder, "-c", path], stderr=subprocess.PIPE))
    stack.callback(process.terminate)
    for _ in range(200):
        with socket.socket() as asked:
            if asked.connect_ex(("127.0.0.1", port)) == 0:
                return f"http://127.0.0.1:{port}"
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.02)
    raise AssertionError("nginx does not listen")


def ask(address: str, path: str) -> str:
    with urllib.request.urlopen(f"{address}{path}", timeout=10) as reply:
        return str(reply.read().decode())


@pytest.mark.skipif(shutil.which("nginx") is None, reason="nginx is not installed")
def test_a_users_requests_go_to_one_replica_and_to_the_other_if_it_is_not_ready(tmp_path):
    with ExitStack() as stack:
        statuses = [200]
        one = stack.enter_context(serving(replica("one", [200])))
        two = stack.enter_context(serving(replica("two", statuses)))
        address = start(stack, tmp_path, [one, two])
        users = [f"user%20{number}" for number in range(40)]
        first = {user: ask(address, f"/v1/users/{user}/recommendations?k={len(user)}") for user in users}
        assert set(first.values()) == {"one", "two"}
        for prefix, rest in (("", "/history"), ("/shop", "/similar?k=3")):
            again = {user: ask(address, f"/v1{prefix}/users/{user}{rest}") for user in users}
            assert again == first
        assert {ask(address, "/v1/items/a/similar") for _ in range(40)} == {"one", "two"}
        statuses.append(503)
        assert {ask(address, f"/v1/users/{user}/recommendations") for user in users} == {"one"}


def test_every_address_is_of_this_machine():
    text = CONFIGURATION.read_text(encoding="utf-8")
    assert set(re.findall(r"\d+\.\d+\.\d+\.\d+", text)) == {"127.0.0.1"}
