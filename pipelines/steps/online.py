"""What people did with the lists of the last days, for the report of the night."""

import logging
import os
import time
from pathlib import Path

from pipelines.steps.store import open_store
from recsys.address import is_address
from recsys.errors import RecsysError
from recsys.event_store.database import open_database
from recsys.event_store.impressions import DAY
from recsys.online.figures import OnlineDays, OnlineReport, online_report
from recsys.online.queries import Window
from recsys.pipeline_config import PipelineConfig

VARIABLE = "RECSYS_EVENTS"
"""The variable that names the event store of the service, for it and for the night."""

DAYS = 14

log = logging.getLogger(__name__)


def online_days(config: PipelineConfig) -> OnlineDays | None:
    """The last 14 days until now; None without an event store, or lists of the version that serves.

    An event store that cannot be read is logged, and does not stop the night.
    """
    where = os.environ.get(VARIABLE, "")
    if not where or not (is_address(where) or Path(where).is_file()):
        return None
    conversions = tuple(config.log.seen_events)
    try:
        serving = open_store(config).current()
        found = _report(where, conversions)
    except RecsysError as error:
        log.warning("%s: not in the report: %s", VARIABLE, error)
        return None
    return OnlineDays(found.by_day, conversions) if serving in found.versions else None


def _report(where: str, conversions: tuple[str, ...]) -> OnlineReport:
    now = time.time()
    database = open_database(where)
    try:
        return online_report(database, Window((now // DAY - DAYS + 1) * DAY, now + 1, conversions=conversions))
    finally:
        database.close()
