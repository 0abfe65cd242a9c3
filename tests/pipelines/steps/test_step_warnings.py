"""What a report tells does not depend on what the console shows."""

import logging

from pipelines.steps.step_warnings import collected_warnings


def test_warnings_are_collected_when_the_log_shows_errors_only() -> None:
    root, logger = logging.getLogger(), logging.getLogger("recsys.data")
    level = root.level
    root.setLevel(logging.ERROR)
    try:
        with collected_warnings() as texts:
            logger.warning("one row was lost")
            logger.info("all is well")
        assert list(texts) == ["one row was lost"]
        assert not logger.isEnabledFor(logging.WARNING)
    finally:
        root.setLevel(level)
