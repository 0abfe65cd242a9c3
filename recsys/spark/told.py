"""Warnings of tasks: kept where they are logged, sent with the results, and logged once by the driver."""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

_OURS = "recsys"


class _Collector(logging.Handler):
    def __init__(self) -> None:
        super().__init__(logging.WARNING)
        self.texts: dict[str, None] = {}

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the record's text."""
        self.texts[record.getMessage()] = None


@contextmanager
def kept_warnings() -> Iterator[dict[str, None]]:
    """The texts of the warnings that the library logs in the block, as keys in their order; nobody else gets them."""
    collector, logger = _Collector(), logging.getLogger(_OURS)
    handlers, propagates, level = list(logger.handlers), logger.propagate, logger.level
    logger.handlers[:], logger.propagate = [collector], False
    logger.setLevel(logging.WARNING)
    try:
        yield collector.texts
    finally:
        logger.handlers[:], logger.propagate = handlers, propagates
        logger.setLevel(level)
