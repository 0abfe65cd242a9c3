"""Servers of Google's and Azure's stores, and one that says what it was asked."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler

import pytest

from tests import azurite
from tests.google_storage import GoogleBucket, google_storage
from tests.object_stores import serving


@dataclass
class Asked:
    """A server at `endpoint` that has no object, and gives a token to whoever asks for one.

    `paths` and `authorizations`: of the requests for objects; `tokens`: the paths of those for a token.
    """

    endpoint: str = ""
    paths: list[str] = field(default_factory=list)
    authorizations: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)


class _Asked(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    asked: Asked

    def do_GET(self) -> None:
        """Say that there is no such object, or give a token."""
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if "token" in self.path.partition("?")[0]:
            self.asked.tokens.append(self.path)
            token = {
                "access_token": "of-the-machine",
                "token_type": "Bearer",
                "expires_in": 3600,
                "resource": "store",
            }
            self._answer(200, json.dumps(token | {"expires_on": "4000000000"}).encode())
            return
        self.asked.paths.append(self.path)
        self.asked.authorizations.append(self.headers.get("Authorization", ""))
        self._answer(404, b"<Error><Code>NoSuchKey</Code></Error>")

    do_POST = do_GET  # noqa: N815

    def _answer(self, status: int, content: bytes) -> None:
        self.send_response_only(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Nothing."""


@pytest.fixture
def asked() -> Iterator[Asked]:
    asked = Asked()
    with serving(type("Handler", (_Asked,), {"asked": asked})) as endpoint:
        asked.endpoint = endpoint
        yield asked


@pytest.fixture
def google() -> Iterator[GoogleBucket]:
    with google_storage() as bucket:
        yield bucket


@pytest.fixture(scope="session")
def azure() -> Iterator[str]:
    """The endpoint of Azurite, if it is installed."""
    if azurite.program() is None:
        pytest.skip(azurite.ABSENT)
    with azurite.azurite() as behind:
        yield f"http://{behind}"
