"""The warnings that are logged while a step runs, kept for its record and the report."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_LOGGERS = ("recsys", "pipelines")


class _Collector(logging.Handler):
    """Keeps the text of every warning, each once, in their order."""

    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record's text."""
        self.texts[record.getMessage()] = None


@contextmanager
def collected_warnings() -> Iterator[dict[str, None]]:
    """The texts of the warnings that are logged in the block, as keys in their order."""
    collector = _Collector()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    for logger in loggers:
        logger.addHandler(collector)
    try:
        yield collector.texts
    finally:
        for logger in loggers:
            logger.removeHandler(collector)
