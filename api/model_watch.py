"""The engine that serves, and its replacement whenever the store points at another version."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import monotonic

from api.metrics import Metrics
from api.served_engine import OfferCheck, ServedEngine
from recsys.artifacts.registry import Registry
from recsys.engine.rehearsal import check_serves

RETRY_SECONDS = 60.0
"""Time after which a version that failed to load is tried again; the disk may have been at fault."""

logger = logging.getLogger(__name__)


class ModelWatch:
    """Holds one engine at a time; a request that reads `engine` once has a whole version, whatever happens next.

    `refresh` is the only writer, and swaps the reference only after the new version was verified, loaded and asked.
    A version that cannot be loaded is logged once; the one before it serves on. `metrics` count every attempt, and
    every list that an engine gives. `before_serving` is called with an engine before it serves. `offer_check`
    receives every list whose recall can be checked. `name`: the store's, for the log. `clock`: seconds.
    """

    def __init__(
        self,
        store: Path,
        metrics: Metrics | None = None,
        *,
        offer_check: OfferCheck | None = None,
        before_serving: Callable[[ServedEngine], None] = lambda engine: None,
        name: str = "",
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.engine: ServedEngine | None = None
        self.reason = "the store has not been read yet"
        """Why there is no engine; it names no path, because clients see it."""
        self.is_empty = False
        """Whether nothing has been published to the store."""
        self._of_store = f"store {name}: " if name else ""
        self._registry = Registry(store, check=check_serves)
        self._metrics = metrics or Metrics()
        self._offer_check = offer_check
        self._before_serving = before_serving
        self._clock = clock
        self._lock = Lock()
        self._failed: str | None = None
        self._retry_at = 0.0
        self._last_failure = ""

    async def run(self, seconds: float) -> None:
        """Refresh for ever, `seconds` apart; versions are loaded in a thread, so that requests go on meanwhile."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)

    def refresh(self, *, again: bool = False) -> ServedEngine | None:
        """Serve the store's current version, if it is another one and sound; `again`: even if it just was not.

        Returns the engine of the store's current version, None if another one serves on, or none does.
        """
        with self._lock:
            version = None
            try:
                version = self._registry.current()
                self.is_empty = version is None
                if version is None:
                    self.reason = "no version has been published to the store yet"
                elif self._is_due(version) or (again and version == self._failed):
                    self._swap(version)
            except Exception as error:  # whatever is wrong with the store, the engine that serves is not touched
                self._note_failure(version, error)
            return self.engine if self.engine is not None and self.engine.version == version else None

    def rollback(self, version: str | None) -> None:
        """Move the store's pointer to `version`, by default to the one that served before. Raises ArtifactError."""
        self._registry.rollback(version)

    def _is_due(self, version: str) -> bool:
        if self.engine is not None and version == self.engine.version:
            self._failed, self._last_failure = None, ""
            return False
        return version != self._failed or self._clock() >= self._retry_at

    def _swap(self, version: str) -> None:
        started = self._clock()
        engine = ServedEngine(self._registry.load(version), self._metrics, offer_check=self._offer_check)
        engine.warm_up()
        self._before_serving(engine)
        self.engine = engine
        self._metrics.count_reload(ok=True)
        self._failed, self._last_failure = None, ""
        seconds = self._clock() - started
        logger.info("%sserving version=%s load_seconds=%.2f", self._of_store, version, seconds)

    def _note_failure(self, version: str | None, error: Exception) -> None:
        self._metrics.count_reload(ok=False)
        self._failed, self._retry_at = version, self._clock() + RETRY_SECONDS
        what = "the store cannot be read" if version is None else f"version {version} cannot be loaded"
        self.reason = f"{what}; the service's log says why"
        failure = f"{what}: {type(error).__name__}: {error}"
        if failure != self._last_failure:
            still = "nothing" if self.engine is None else f"version {self.engine.version}"
            logger.error("%s%s; %s serves on", self._of_store, failure, still)
        self._last_failure = failure
