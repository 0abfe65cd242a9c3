"""The log on standard error: lines for people, or one JSON object per line for programs."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

FIELDS = "fields"
"""A record's attribute of this name holds fields for programs, which become keys of the JSON object."""


class JsonFormatter(logging.Formatter):
    """One JSON object per record: time, level, logger, process, and its fields, or its message if it has none."""

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "process": record.process,
        }
        line |= getattr(record, FIELDS, None) or {"message": record.getMessage()}
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line)


def log_config(level: str, *, log_format: str) -> dict[str, Any]:
    """`logging.config` for one process. uvicorn's own access log, with paths, is off."""
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {
            "text": {"format": "%(asctime)s %(levelname)s %(process)d %(name)s %(message)s"},
            "json": {"()": JsonFormatter},
        },
        "handlers": {"stderr": {"class": "logging.StreamHandler", "formatter": log_format}},
        "root": {"handlers": ["stderr"], "level": level.upper()},
        "loggers": {
            "faiss.loader": {"level": "WARNING"}
        },  # at INFO it lists the instruction sets it was not built for
    }
