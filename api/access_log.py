"""The line of a request in the log: a record as logging makes it, copied from one that it made before.

What is the same for all requests of a process, its name and that of its thread among it, is looked up once. Where in
the code a line was logged says nothing here.
"""

import logging
import os
import threading
from collections.abc import Mapping
from functools import lru_cache
from time import time

from api.logs import FIELDS

_LINE = "method=%s route=%s status=%d ms=%.2f request_id=%s model_version=%s"
_FIRST = _LINE.count("=")
"""How many fields every request has; those that only some have come after them."""

logger = logging.getLogger("api.access")


def log_request(fields: Mapping[str, str | int | float | None], *, is_probe: bool) -> None:
    """Log one request: as text, and with its `fields` for programs. Probes are of interest to those who debug."""
    level = logging.DEBUG if is_probe else logging.INFO
    if logger.isEnabledFor(level):
        logger.handle(_record(level, fields))


def _record(level: int, fields: Mapping[str, str | int | float | None]) -> logging.LogRecord:
    like, now = _made_before(level, os.getpid(), threading.get_ident()), time()
    record = logging.LogRecord.__new__(logging.LogRecord)
    vars(record).update(vars(like))
    record.created, record.msecs = now, now % 1 * 1000
    record.relativeCreated = like.relativeCreated + (now - like.created) * 1000
    record.msg = _LINE + "".join([f" {name}=%s" for name in [*fields][_FIRST:]])
    record.args = tuple(["-" if value is None else value for value in fields.values()])
    vars(record)[FIELDS] = fields
    return record


@lru_cache(64)
def _made_before(level: int, _process: int, _thread: int) -> logging.LogRecord:
    return logger.makeRecord(logger.name, level, "", 0, "", (), None)
