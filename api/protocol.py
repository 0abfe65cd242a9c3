"""What uvicorn itself answers, before the application has a say."""

import uuid

import h11
from starlette.exceptions import HTTPException
from uvicorn.protocols.http.h11_impl import H11Protocol

from api.errors import problem_response


class ProblemProtocol(H11Protocol):
    """uvicorn's h11 protocol, whose one reply of its own, to what is not valid HTTP, is a problem like all others."""

    def send_400_response(self, msg: str) -> None:
        """Refuse what could not be parsed (`msg` is uvicorn's word for it) and hang up."""
        request_id = uuid.uuid4().hex
        reply = problem_response(HTTPException(400), request_id=request_id)
        headers = [*reply.raw_headers, (b"x-request-id", request_id.encode()), (b"connection", b"close")]
        start = h11.Response(status_code=reply.status_code, headers=headers, reason=b"Bad Request")
        for event in (start, h11.Data(data=bytes(reply.body)), h11.EndOfMessage()):
            self.transport.write(self.conn.send(event) or b"")
        self.transport.close()
