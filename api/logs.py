"""The log on standard error: lines for people, or one JSON object per line for programs."""

from typing import Any

from recsys.json_log import FIELDS, JsonFormatter

__all__ = ["FIELDS", "JsonFormatter", "log_config"]


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
