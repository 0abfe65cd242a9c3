"""Client and AsyncClient: how calls are sent. What can be called is in `recsys.client.endpoints`."""

import asyncio
import copy
import os
import time
import uuid
from typing import Any, Generic, Self, TypeVar

import httpx
from pydantic import ValidationError

from recsys.client.endpoint import Call
from recsys.client.endpoints import Endpoints
from recsys.client.errors import InvalidReplyError, NoReplyError, problem_error
from recsys.client.retries import Retries

R = TypeVar("R")
Http = TypeVar("Http", httpx.Client, httpx.AsyncClient)

KEY_VARIABLE = "RECSYS_API_KEY"
"""The environment variable that holds the API key, if none is given."""

_OF_A_STORE = ("/v1/", "/admin/")
_REFUSED = 400


class _Caller(Endpoints, Generic[Http]):
    """What both clients have in common: what is sent, and what a reply means."""

    def __init__(
        self,
        http: Http,
        url: str,
        *,
        api_key: str | None,
        store: str | None,
        timeout: float | httpx.Timeout,
        retries: Retries,
    ) -> None:
        self._http: Http = http
        self._url, self._api_key = url.rstrip("/"), api_key or os.environ.get(KEY_VARIABLE) or None
        self._store, self._timeout, self._retries = store, timeout, retries
        self._request_id: str | None = None

    def __repr__(self) -> str:
        store = f", store={self._store!r}" if self._store is not None else ""
        return f"{type(self).__name__}({self._url!r}{store})"

    def with_request_id(self, request_id: str) -> Self:
        """This client, over the same connections, for calls that carry `request_id` as X-Request-ID.

        So that the log of the service has the id of the request that led to the call.
        """
        return self._with(_request_id=request_id)

    def with_store(self, store: str) -> Self:
        """This client, over the same connections, for another store of the service."""
        return self._with(_store=store)

    def with_timeout(self, timeout: float | httpx.Timeout) -> Self:
        """This client, over the same connections, with another limit of seconds per attempt."""
        return self._with(_timeout=timeout)

    def _with(self, **changed: Any) -> Self:
        changed_client = copy.copy(self)
        vars(changed_client).update(changed)
        return changed_client

    def _request(self, call: Call[Any], request_id: str) -> httpx.Request:
        headers = {"X-Request-ID": request_id, "Accept": "application/json, text/plain"}
        if self._api_key is not None:
            headers["Authorization"] = f"Bearer {self._api_key}"
        if call.body is not None:
            headers["Content-Type"] = "application/json"
        url = f"{self._url}{self._path(call.path)}"
        return self._http.build_request(
            call.method, url, params=dict(call.query), content=call.body, headers=headers, timeout=self._timeout
        )

    def _path(self, path: str) -> str:
        for beginning in _OF_A_STORE if self._store is not None else ():
            if path.startswith(beginning):
                return f"{beginning}{self._store}/{path.removeprefix(beginning)}"
        return path

    def _new_id(self) -> str:
        return self._request_id or uuid.uuid4().hex

    def _wait_after(self, outcome: httpx.Response | httpx.TransportError, call: Call[Any], made: int) -> float | None:
        return self._retries.wait_after(outcome, made=made, repeatable=call.repeatable)


class Client(_Caller[httpx.Client]):
    """A client that waits for each reply. Threads may share it.

    `url`: of the service. `api_key`: sent with every call; by default that in RECSYS_API_KEY. `store`: which of
    several. `timeout`: seconds for each of connecting, sending, and waiting for the reply. `limits`: of the pool of
    connections. `http`: a client of your own, with its proxies and certificates, which you close.
    """

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        store: str | None = None,
        timeout: float | httpx.Timeout = 5.0,
        retries: Retries = Retries(),  # noqa: B008  (frozen)
        limits: httpx.Limits = httpx.Limits(max_connections=100, max_keepalive_connections=20),  # noqa: B008
        http: httpx.Client | None = None,
    ) -> None:
        self._owned = http is None
        used = httpx.Client(limits=limits) if http is None else http
        super().__init__(used, url, api_key=api_key, store=store, timeout=timeout, retries=retries)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections, also those of clients that this one gave by `with_...`."""
        if self._owned:
            self._http.close()

    def send(self, call: Call[R]) -> R:
        """Send a call, again if that may help. Raises ClientError."""
        request_id, made = self._new_id(), 0
        while True:
            outcome, made = self._once(self._request(call, request_id)), made + 1
            if (wait := self._wait_after(outcome, call, made)) is None:
                return result_of(outcome, call, request_id)
            time.sleep(wait)

    def _once(self, request: httpx.Request) -> httpx.Response | httpx.TransportError:
        try:
            return self._http.send(request)
        except httpx.TransportError as error:
            return error


class AsyncClient(_Caller[httpx.AsyncClient]):
    """A client whose replies are awaited. It belongs to one event loop; its arguments are those of `Client`."""

    def __init__(
        self,
        url: str,
        *,
        api_key: str | None = None,
        store: str | None = None,
        timeout: float | httpx.Timeout = 5.0,
        retries: Retries = Retries(),  # noqa: B008  (frozen)
        limits: httpx.Limits = httpx.Limits(max_connections=100, max_keepalive_connections=20),  # noqa: B008
        http: httpx.AsyncClient | None = None,
    ) -> None:
        self._owned = http is None
        used = httpx.AsyncClient(limits=limits) if http is None else http
        super().__init__(used, url, api_key=api_key, store=store, timeout=timeout, retries=retries)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close the connections, also those of clients that this one gave by `with_...`."""
        if self._owned:
            await self._http.aclose()

    async def send_async(self, call: Call[R]) -> R:
        """Send a call, again if that may help. Raises ClientError."""
        request_id, made = self._new_id(), 0
        while True:
            outcome, made = await self._once(self._request(call, request_id)), made + 1
            if (wait := self._wait_after(outcome, call, made)) is None:
                return result_of(outcome, call, request_id)
            await asyncio.sleep(wait)

    async def _once(self, request: httpx.Request) -> httpx.Response | httpx.TransportError:
        try:
            return await self._http.send(request)
        except httpx.TransportError as error:
            return error


def result_of(outcome: httpx.Response | httpx.TransportError, call: Call[R], request_id: str) -> R:
    """What the call returns. Raises ClientError."""
    if isinstance(outcome, httpx.TransportError):
        what = str(outcome) or type(outcome).__name__
        raise NoReplyError(f"{call.method} {call.path}: {what}", request_id=request_id) from outcome
    request_id = outcome.headers.get("X-Request-ID", request_id)
    if outcome.status_code >= _REFUSED:
        raise problem_error(outcome.status_code, outcome.content, reason=outcome.reason_phrase, request_id=request_id)
    try:
        return outcome.text if call.reply is None else call.reply.validate_json(outcome.content)  # type: ignore[return-value]
    except ValidationError as error:
        status = outcome.status_code
        first = error.errors(include_input=False, include_url=False)[0]
        place = ".".join(map(str, first["loc"])) or "the document"
        message = f"{call.method} {call.path}: the reply ({status}) is not as expected: {place}: {first['msg']}"
        raise InvalidReplyError(message, request_id=request_id, status=status) from error
