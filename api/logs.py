"""The log on standard error: lines for people, or one JSON object per line for programs."""

import logging
import time
from functools import lru_cache
from types import TracebackType
from typing import Any

from api.fault_text import fault_text
from recsys.json_log import FIELDS
from recsys.json_log import JsonFormatter as _JsonFormatter

__all__ = ["FIELDS", "JsonFormatter", "TextFormatter", "log_config"]

_ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class TextFormatter(logging.Formatter):
    """Lines for people. A traceback has no values: messages of faults may hold what a client sent."""

    def format(self, record: logging.LogRecord) -> str:
        """The line; what another handler has made of the traceback is not used."""
        record.exc_text = None
        return super().format(record)

    def formatTime(self, record: logging.LogRecord, datefmt: str | None = None) -> str:  # noqa: N802 (logging's name)
        """Local time, as logging writes it; the same second is not written again."""
        return f"{_second(int(record.created), datefmt)},{int(record.msecs):03d}"

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802
        """Where, and of what type."""
        return "" if ei[1] is None else fault_text(ei[1])


@lru_cache(2)
def _second(seconds: int, datefmt: str | None) -> str:
    return time.strftime(datefmt or logging.Formatter.default_time_format, time.localtime(seconds))


class JsonFormatter(_JsonFormatter):
    """Objects for programs, whose `exception` has no values either."""

    def formatException(self, ei: _ExcInfo) -> str:  # noqa: N802
        """Where, and of what type."""
        return "" if ei[1] is None else fault_text(ei[1])


def log_config(level: str, *, log_format: str) -> dict[str, Any]:
    """`logging.config` for one process. uvicorn's own access log, with paths, is off."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"()": TextFormatter, "format": "%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"},
            "json": {"()": JsonFormatter},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": log_format}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            "faiss.loader": {"level": "WARNING"}
        },  # at INFO it lists the instruction sets it was not built for
    }
