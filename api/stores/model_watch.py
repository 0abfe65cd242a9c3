"""The engine that serves, and its replacement whenever the store points at another version."""

import asyncio
import logging
from collections.abc import Callable
from pathlib import Path
from threading import Lock
from time import monotonic

from api.engines.given_lists import KeepImpression, OfferCheck
from api.engines.served_engine import ServedEngine
from api.metrics import Metrics
from api.stores.bounded_calls import BoundedCalls
from api.stores.crashes import MOST, Crashes
from recsys.artifacts.fallbacks import fallbacks
from recsys.artifacts.files import warn_if_world_writable
from recsys.artifacts.manifest import Manifest
from recsys.artifacts.registry import Registry
from recsys.artifacts.signature import SigningKey
from recsys.artifacts.store_reader import CURRENT
from recsys.config.serve import Users
from recsys.engine.rehearsal import check_serves
from recsys.engine.user_profiles import IsForgotten, nobody_is_forgotten
from recsys.errors import ArtifactError, RecsysError

RETRY_SECONDS = 60.0
"""Time after which a version that failed to load is tried again; the disk may have been at fault."""

LOAD_SECONDS = 300.0
"""Time that loading a version may take by default."""

logger = logging.getLogger(__name__)


class CrashedError(RecsysError):
    """Workers crash on a version, and there is nothing to roll back to."""


class ModelWatch:
    """Holds one engine at a time; a request that reads `engine` once has a whole version, whatever happens next.

    `refresh` is the only writer, and swaps the reference only after the new version was verified, loaded and asked. A
    version that cannot be loaded is logged once; the one before it serves on. If none serves yet, the newest version
    does that served before and is sound. A version on which workers crashed `MOST` times is rolled back from.
    `metrics` count every attempt, and every list that an engine gives. `before_serving` is called with an engine
    before it serves. `is_forgotten_by`: who counts no more in the version of a manifest. `offer_check` receives every
    list whose recall can be checked, `keep` every list of items. `name`: the store's, for the log. `load_seconds`:
    after which a load, or a look at the store, is given up. `key`: versions must be signed with it. `users` and
    `read_only`: see `Registry`. `on_damage`: called with a version that could not be loaded. `clock`: seconds.
    """

    def __init__(
        self,
        store: Path,
        metrics: Metrics | None = None,
        *,
        offer_check: OfferCheck | None = None,
        keep: KeepImpression | None = None,
        before_serving: Callable[[ServedEngine], None] = lambda engine: None,
        is_forgotten_by: Callable[[Manifest], IsForgotten] = lambda manifest: nobody_is_forgotten,
        name: str = "",
        load_seconds: float = LOAD_SECONDS,
        key: SigningKey | None = None,
        users: Users | None = None,
        read_only: str | None = None,
        on_damage: Callable[[str], None] = lambda version: None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.engine: ServedEngine | None = None
        self.reason = "the store has not been read yet"
        """Why there is no engine; it names no path, because clients see it."""
        self.is_empty = False
        """Whether nothing has been published to the store."""
        self.fault: str | None = None
        """Why the version that serves is not the one that the store says; it names no path. None if it is."""
        self._of_store = f"store {name}: " if name else ""
        self._registry = Registry(store, check=check_serves, key=key, users=users, read_only=read_only)
        warn_if_world_writable(store)
        self._metrics = metrics or Metrics()
        self.key = key
        self._offer_check = offer_check
        self._on_damage = on_damage
        self._keep = keep
        self._before_serving = before_serving
        self._is_forgotten_by = is_forgotten_by
        self._clock = clock
        self._lock = Lock()
        self._calls = BoundedCalls(load_seconds)
        self._crashes = Crashes(store)
        self._lines_before = 0
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
                version = self._calls.make(self._published, "looking at the store")
                self.is_empty = version is None
                if version is None:
                    self.reason = "no version has been published to the store yet"
                elif self._is_due(version) or (again and version == self._failed):
                    self._swap(version)
            except Exception as error:  # whatever is wrong with the store, the engine that serves is not touched
                self._note_failure(version, error)
                if self.engine is None:
                    self._fall_back(version)
            return self.engine if self.engine is not None and self.engine.version == version else None

    def _published(self) -> str | None:
        """The version that the store says, None before the first publish. Raises ArtifactError if that is lost."""
        version = self._registry.current()
        if version is None and (self.engine is not None or self._has_served()):
            raise ArtifactError(f"{self._registry.store / CURRENT}: is gone, though versions have served")
        return version

    def _has_served(self) -> bool:
        """Whether HISTORY says so. A first line comes just before its pointer, so it counts at the next look."""
        lines, before = len(self._registry.history()), self._lines_before
        self._lines_before = lines
        return lines > 1 or lines == before == 1

    def close(self) -> None:
        """The process ends in order: what follows is no crash."""
        self._crashes.end()

    @property
    def registry(self) -> Registry:
        """The versions of the store, and its pointer."""
        return self._registry

    def load(self, version: str) -> ServedEngine:
        """The engine of a version of the store, ready to serve. Raises what is wrong with it."""
        try:
            return self._calls.make(lambda: self._loaded(version), "loading")
        except ArtifactError:
            self._on_damage(version)
            raise

    def _is_due(self, version: str) -> bool:
        if self.engine is not None and version == self.engine.version:
            self._failed, self._last_failure, self.fault = None, "", None
            return False
        return version != self._failed or self._clock() >= self._retry_at

    def _swap(self, version: str) -> None:
        if self._crashes.count(version) >= MOST and self._leave(version):
            return
        started = self._clock()
        self._use(version)
        self._metrics.count_reload(ok=True)
        self._failed, self._last_failure, self.fault = None, "", None
        seconds = self._clock() - started
        logger.info("%sserving version=%s load_seconds=%.2f", self._of_store, version, seconds)

    def _use(self, version: str) -> None:
        """Load, ask and then serve `version`. Raises what is wrong with it, and then nothing has changed."""
        self._crashes.begin(version)
        try:
            self.engine = self.load(version)
        except Exception:
            if self.engine is not None:
                self._crashes.begin(self.engine.version)
            raise

    def _loaded(self, version: str) -> ServedEngine:
        bundle = self._registry.load(version)
        engine = ServedEngine(
            bundle,
            self._metrics,
            offer_check=self._offer_check,
            keep=self._keep,
            is_forgotten=self._is_forgotten_by(bundle.manifest),
        )
        engine.warm_up()
        self._before_serving(engine)
        return engine

    def _leave(self, version: str) -> bool:
        """Roll back from a version on which workers crash; whether another one serves, or will at the next look."""
        try:
            self._registry.leave(version)
        except ArtifactError as error:
            self._note_failure(version, CrashedError(f"workers crashed {MOST} times; not rolled back: {error}"))
            return self.engine is not None or self._fall_back(version)
        logger.error("%sworkers crashed %d times on version %s: rolled back", self._of_store, MOST, version)
        if (back := self._registry.current()) is not None:
            self._use(back)
            self._failed, self._last_failure, self.fault = None, "", None
        return True

    def _fall_back(self, failed: str | None) -> bool:
        """Serve the best version that served before instead of `failed`; whether there is one."""
        for version in fallbacks(self._registry, failed):
            try:
                self._use(version)
            except Exception as error:
                logger.error("%sversion %s cannot be loaded either: %s", self._of_store, version, error)
                continue
            logger.error("%sversion %s, which served before, serves instead", self._of_store, version)
            self.fault = f"{self._what(failed)}; version {version}, which served before, serves instead"
            return True
        return False

    def _note_failure(self, version: str | None, error: Exception) -> None:
        self._metrics.count_reload(ok=False)
        self._failed, self._retry_at = version, self._clock() + RETRY_SECONDS
        what = self._what(version)
        self.reason = f"{what}; the service's log says why"
        if self.engine is not None:
            self.fault = f"{what}; version {self.engine.version} serves on"
        failure = f"{what}: {type(error).__name__}: {error}"
        if failure != self._last_failure:
            still = "nothing" if self.engine is None else f"version {self.engine.version}"
            logger.error("%s%s; %s serves on", self._of_store, failure, still)
        self._last_failure = failure

    @staticmethod
    def _what(version: str | None) -> str:
        return "the store cannot be read" if version is None else f"version {version} cannot be loaded"
