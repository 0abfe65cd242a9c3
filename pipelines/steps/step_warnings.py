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
    """The texts of the warnings of the block, as keys in their order, whatever level the console shows."""
    collector = _Collector()
    loggers = [logging.getLogger(name) for name in _LOGGERS]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.addHandler(collector)
        if logger.getEffectiveLevel() > logging.WARNING:  # the handler of the console has its own level
            logger.setLevel(logging.WARNING)
    try:
        yield collector.texts
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.removeHandler(collector)
            logger.setLevel(level)
