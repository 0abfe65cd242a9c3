"""Requests as the server hands them on, whose paths and headers no client has tidied up."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class RawReply:
    """What an application sent."""

    status: int
    headers: Mapping[str, str]
    body: bytes


def ask_raw(
    app: Callable[..., Any],
    method: str,
    raw_path: bytes,
    headers: list[tuple[bytes, bytes]] | None = None,
    *,
    root_path: str = "",
    address: str = "198.51.100.7",
) -> RawReply:
    """One request as the server hands it on, whose path no client has tidied up."""
    path, _, query = raw_path.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": root_path + path.decode("latin-1"),
        "raw_path": root_path.encode() + path,
        "query_string": query,
        "root_path": root_path,
        "headers": headers or [],
        "client": (address, 50_000),
        "server": ("service", 80),
        "state": {},
    }
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    start = next(message for message in sent if message["type"] == "http.response.start")
    body = b"".join(message.get("body", b"") for message in sent if message["type"] == "http.response.body")
    return RawReply(start["status"], {n.decode(): v.decode() for n, v in start["headers"]}, body)
