"""The engine that serves, and its replacement whenever the store points at another version."""

import asyncio
import logging
from pathlib import Path
from time import monotonic

from recsys.artifacts.registry import Registry
from recsys.engine import Engine

RETRY_SECONDS = 60.0
"""A version that failed to load is tried again so much later: the disk may have been the one at fault."""

logger = logging.getLogger(__name__)


class ModelWatch:
    """Holds one engine at a time; whoever reads `engine` once has a whole version, whatever happens next.

    `refresh` is the only writer, and swaps the reference only after the new version was verified, loaded and asked.
    A version that cannot be loaded is logged once; the one before it serves on.
    """

    def __init__(self, store: Path) -> None:
        self.engine: Engine | None = None
        self.reason = "the model has not been looked for yet"
        """Why there is no engine, fit for outsiders: it names no path."""
        self._registry = Registry(store)
        self._failed: str | None = None
        self._retry_at = 0.0
        self._last_failure = ""

    async def run(self, seconds: float) -> None:
        """Refresh for ever, `seconds` apart; loading happens in a thread, so that requests go on meanwhile."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Serve the store's current version, if it is another one and sound."""
        version = None
        try:
            version = self._registry.current()
            if version is None:
                self.reason = "no version has been published to the store yet"
            elif self._is_due(version):
                self._swap(version)
        except Exception as error:  # whatever is wrong with the store, the engine that serves is not touched
            self._note_failure(version, error)

    def _is_due(self, version: str) -> bool:
        if self.engine is not None and version == self.engine.version:
            self._failed, self._last_failure = None, ""
            return False
        return version != self._failed or monotonic() >= self._retry_at

    def _swap(self, version: str) -> None:
        started = monotonic()
        self.engine = load_engine(self._registry, version)
        self._failed, self._last_failure = None, ""
        logger.info("serving version=%s load_seconds=%.2f", version, monotonic() - started)

    def _note_failure(self, version: str | None, error: Exception) -> None:
        self._failed, self._retry_at = version, monotonic() + RETRY_SECONDS
        what = "the store cannot be read" if version is None else f"version {version} cannot be loaded"
        self.reason = f"{what}; the service's log says why"
        failure = f"{what}: {type(error).__name__}: {error}"
        if failure != self._last_failure:
            still = "nothing" if self.engine is None else f"version {self.engine.version}"
            logger.error("%s; %s serves on", failure, still)
        self._last_failure = failure


def load_engine(registry: Registry, version: str) -> Engine:
    """Verify and load one version, and ask it something: the first real request shall not pay for cold memory."""
    engine = Engine(registry.load(version))
    if len(engine.user_ids):
        engine.recommend(engine.user_ids.id_at(0))
    if len(engine.item_ids):
        engine.similar(engine.item_ids.id_at(0))
    return engine
