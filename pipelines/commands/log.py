"""The log of a command on standard error: lines for people, with the time unless it is a terminal, or JSON."""

import logging
import os
import sys
import time
from datetime import UTC, datetime
from typing import Literal

from pipelines.bounded.reports import tell
from recsys.errors import ConfigError
from recsys.json_log import FIELDS, JsonFormatter

LogFormat = Literal["auto", "text", "json"]
"""`auto`: as text, and the time stands before a line only if standard error is no terminal."""

LEVEL, FORMAT = "RECSYS_LOG_LEVEL", "RECSYS_LOG_FORMAT"
"""Variables of the environment; the service reads the same."""

_TIME = "%Y-%m-%dT%H:%M:%SZ"
_LEVELS = ("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")
_console = logging.getLogger("recsys.console")


class _Log:
    """How this process logs; `configure` changes it."""

    format: LogFormat = "auto"
    handler: logging.Handler | None = None


def configure(given: str | None = None) -> None:
    """Log as `given` says, by default as RECSYS_LOG_FORMAT does. In JSON every step has a line.

    Raises ConfigError for a level or a format that does not exist.
    """
    _Log.format = "auto"  # so that an error about the format itself is shown
    _Log.format = _format(given or os.environ.get(FORMAT) or "auto")
    tell(json=is_json())
    level = (os.environ.get(LEVEL) or ("INFO" if is_json() else "WARNING")).upper()
    if level not in _LEVELS:
        raise ConfigError(f"{LEVEL}: got {level!r}, expected one of {', '.join(_LEVELS).lower()}")
    root, handler = logging.getLogger(), logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter() if is_json() else _text_formatter())
    if _Log.handler is not None:
        root.removeHandler(_Log.handler)
    _Log.handler = handler
    handler.setLevel(level)
    root.addHandler(handler)
    root.setLevel(level)
    logging.getLogger("faiss.loader").setLevel("WARNING")  # at INFO it lists what it was not built for


def is_json() -> bool:
    """Whether standard error has JSON lines only."""
    return _Log.format == "json"


def stamp() -> str:
    """The time in UTC and a space, to stand before a line of the console; empty if standard error is a terminal."""
    watched = _Log.format == "auto" and sys.stderr.isatty()
    return "" if watched else f"{datetime.now(UTC).strftime(_TIME)} "


def log_line(level: int, text: str, **fields: object) -> None:
    """A line of the console as one JSON object; `fields` are further keys."""
    _console.log(level, "%s", text, extra={FIELDS: {"message": text, **fields}})


def _format(text: str) -> LogFormat:
    if text in ("auto", "text", "json"):
        return text  # type: ignore[return-value]
    raise ConfigError(f"{FORMAT} or --log-format: got {text!r}, expected auto, text or json")


def _text_formatter() -> logging.Formatter:
    formatter = logging.Formatter("%(asctime)s %(levelname)s %(name)s %(message)s", datefmt=_TIME)
    formatter.converter = time.gmtime
    return formatter
