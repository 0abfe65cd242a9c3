"""One connection: uvicorn's h11 protocol, with strict reading, deadlines, and refusals before anything is parsed."""

import asyncio
import math
import uuid
from time import monotonic
from typing import Any
from urllib.parse import unquote

import h11
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.errors import OverloadedError, problem_response
from api.process.connections import Stage
from api.process.parsing import StrictConnection
from api.process.plain import Headers, PlainCycle, plain_request
from api.process.traffic_control import TrafficControl

_CLOSE = (b"connection", b"close")


class ServiceProtocol(H11Protocol):
    """A connection. What it waits for, and until when, stands in `stage` and `deadline` (see `Connections`)."""

    def __init__(self, config: Any, server_state: Any, app_state: dict[str, Any], _loop: Any = None) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = StrictConnection()
        self.control = TrafficControl.of(app_state)
        self.address, self.stage, self.deadline = "", Stage.HEAD, math.inf
        self.unread_since: float | None = None
        self.closing_since: float | None = None
        self.refused_at = -math.inf
        self._staged_cycle: object = None
        self._is_at_rest = True  # the next byte is the first of a request
        self._awaits_refusal, self._is_plain, self._held = False, False, b""

    @property
    def is_closing(self) -> bool:
        """Whether it is being closed."""
        return self.transport.is_closing()

    def close(self) -> None:
        """Close it once what was written has been sent."""
        self.transport.close()

    def abort(self) -> None:
        """Close it now."""
        self.transport.abort()

    def connection_made(self, transport: Any) -> None:
        """Take part in the caps, or refuse if every other connection has a request under way."""
        super().connection_made(transport)
        self.address = str(self.client[0]) if self.client else ""
        if not self.control.connections.open(self):
            self.control.traffic.tally_refusal("connections")
            self._send_problem(OverloadedError(), b"Service Unavailable")

    def connection_lost(self, exc: Exception | None) -> None:
        """Give the place back."""
        self.control.connections.lose(self)
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Refuse what comes while there is too much to do; else read on."""
        if self.is_closing or self.stage is Stage.END:
            return
        if self._awaits_refusal or self._is_plain:  # a second request before the first is answered: it waits
            self._held += data
            self.flow.pause_reading()
            return
        if not (self._is_at_rest and self.control.refuser.covers(data)):
            self._read(data)
        elif self.control.is_overloaded and (refusal := self.control.refuser.refusal(data)):
            self._awaits_refusal = not self.control.pacing.refuse(self, *refusal)
        else:
            self._read_and_reserve(data)

    def _read(self, data: bytes) -> None:
        if self._is_at_rest and (request := plain_request(data)) is not None:
            self._answer_plain(*request)
            return
        super().data_received(data)
        if self.stage is not Stage.END:
            self._settle()

    def _answer_plain(self, target: bytes, headers: Headers) -> None:
        """Begin to answer a request that h11 does not see."""
        self._unset_keepalive_if_required()
        self._is_at_rest, self._is_plain = False, True
        self.control.connections.move(self, Stage.REPLY)
        self.cycle = PlainCycle(
            scope=self._scope_of(target, headers),
            conn=self.conn,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            on_response=self.on_response_complete,
        )
        self.cycle.more_body = False
        self.cycle.message_event.set()
        task = self.loop.create_task(self.cycle.run_asgi(self.app))
        task.add_done_callback(self.tasks.discard)
        self.tasks.add(task)

    def _scope_of(self, target: bytes, headers: Headers) -> Any:
        raw_path, _, query = target.partition(b"?")
        path = raw_path.decode("ascii")
        return {
            "type": "http",
            "asgi": {"version": self.asgi_version, "spec_version": "2.3"},
            "http_version": "1.1",
            "server": self.server,
            "client": self.client,
            "scheme": self.scheme,
            "method": "GET",
            "root_path": self.root_path,
            "path": self.root_path + (unquote(path) if "%" in path else path),
            "raw_path": self.root_path.encode("ascii") + raw_path,
            "query_string": query,
            "headers": list(headers),
            "state": self.app_state.copy(),
        }

    def _read_and_reserve(self, data: bytes) -> None:
        """Keep room for the request until its task has begun: others may come in the same turn of the event loop."""
        before, lists = self.cycle, self.control.admission.lists
        self._read(data)
        if self.cycle is not before:
            lists.reserve()
            self.loop.call_soon(lists.release)  # runs after the first step of the task, which enters the gate

    def send_refusal(self, reply: bytes, *, goes_on: bool) -> None:
        """Send the refusal of the one request that has come."""
        self._awaits_refusal = False
        if self.is_closing:
            return
        self.transport.write(reply)
        if not goes_on:
            self.transport.close()
        elif not self._go_on():
            self.control.connections.move(self, Stage.IDLE)

    def _go_on(self) -> bool:
        """Read what came before the request was answered; whether there was something."""
        held, self._held = self._held, b""
        if held:
            self.flow.resume_reading()
            self.data_received(held)
        return bool(held)

    def timeout_keep_alive_handler(self) -> None:
        """Nothing has come for long: close, unless a refusal is to be sent."""
        if not self._awaits_refusal:
            super().timeout_keep_alive_handler()

    def on_response_complete(self) -> None:
        """After a reply: the next request, or the rest of a body that nobody needs, but not for long."""
        was_plain, self._is_plain = self._is_plain, False
        super().on_response_complete()
        if self.is_closing:
            return
        self._settle()
        if self.conn.their_state is h11.SEND_BODY and self.conn.our_state is h11.DONE:
            self.deadline = min(self.deadline, monotonic() + self.control.connections.limits.rest)
        if was_plain:
            self._go_on()

    def _settle(self) -> None:
        """Tell what this connection waits for now."""
        state = self.conn.their_state
        if state is h11.IDLE:
            stage = Stage.HEAD if self.conn.trailing_data[0] else Stage.IDLE
        else:
            stage = Stage.BODY if state is h11.SEND_BODY else Stage.REPLY
        self._is_at_rest = stage is Stage.IDLE and self.conn.our_state is h11.IDLE
        if stage is not self.stage or self._staged_cycle is not self.cycle:
            self._staged_cycle = self.cycle
            self.control.connections.move(self, stage)

    def pause_writing(self) -> None:
        """The client does not read: a clock starts."""
        super().pause_writing()
        self.unread_since = monotonic()

    def resume_writing(self) -> None:
        """The client has read."""
        super().resume_writing()
        self.unread_since = None

    def send_400_response(self, msg: str) -> None:
        """Refuse what is not HTTP, as a problem, and close the connection; uvicorn's `msg` is not passed on."""
        self.control.traffic.tally_closing("malformed")
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # its body can never be whole
            self.cycle.message_event.set()
        if self.conn.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            self._send_problem(HTTPException(400), b"Bad Request")
        else:
            self.transport.close()

    def _send_problem(self, error: Exception, reason: bytes) -> None:
        request_id = uuid.uuid4().hex
        reply = problem_response(error, request_id=request_id)
        headers = [*reply.raw_headers, (b"x-request-id", request_id.encode()), _CLOSE]
        start = h11.Response(status_code=reply.status_code, headers=headers, reason=reason)
        for event in (start, h11.Data(data=bytes(reply.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self._end()

    def _end(self) -> None:
        """Say that nothing more comes, and let the client finish: closing at once could take the reply from it."""
        if self.transport.can_write_eof():
            self.transport.write_eof()
            self.control.connections.move(self, Stage.END)
        else:  # TLS
            self.transport.close()
