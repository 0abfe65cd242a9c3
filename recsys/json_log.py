"""The log as one JSON object per line, the same for the service and for the nightly job."""

import json
import logging
from datetime import UTC, datetime

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
