"""OtherVersion: one version of a store beside the one that serves, loaded to be compared with it."""

import asyncio
import logging

from api.engines.served_engine import ServedEngine
from api.errors import StoreRefusedError
from api.stores.served_store import ServedStore
from recsys.errors import RecsysError

KEPT_SECONDS = 600.0
"""Time after its last use in which a version stays loaded."""

CANNOT_LOAD = "this version is not in the store, or cannot be loaded; the service's log says which"

logger = logging.getLogger(__name__)


class OtherVersion:
    """Holds one engine at most; a question about another version replaces it. Ask it from one event loop."""

    def __init__(self, store: ServedStore, *, kept_seconds: float = KEPT_SECONDS) -> None:
        self._store, self._kept_seconds = store, kept_seconds
        self._engine: ServedEngine | None = None
        self._lock = asyncio.Lock()
        self._dropping: asyncio.TimerHandle | None = None

    @property
    def loaded(self) -> str | None:
        """The version that is loaded, beside the one that serves."""
        return None if self._engine is None else self._engine.version

    async def engine(self, version: str) -> ServedEngine:
        """The engine of `version`: that which serves, that of the last question, or one that is loaded now.

        Versions are loaded one at a time. Raises StoreRefusedError if it cannot be loaded.
        """
        serving = self._store.watch.engine
        if serving is not None and serving.version == version:
            return serving
        # A load that outlasts its request goes on, and the next request finds the version loaded.
        return await asyncio.shield(asyncio.create_task(self._loaded(version)))

    async def _loaded(self, version: str) -> ServedEngine:
        async with self._lock:
            if self._engine is None or self._engine.version != version:
                self._engine = None  # two of them in memory would be one too many
                try:
                    self._engine = await asyncio.to_thread(self._store.watch.load, version)
                except RecsysError as error:
                    logger.warning("version to compare with: %s", error)
                    raise StoreRefusedError(CANNOT_LOAD) from error
            self._keep()
            return self._engine

    def _keep(self) -> None:
        if self._dropping is not None:
            self._dropping.cancel()
        self._dropping = asyncio.get_running_loop().call_later(self._kept_seconds, self._drop)

    def _drop(self) -> None:
        self._engine = None
