"""ArmWatch: the experiment of a store, and the engines of its arms."""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock
from time import monotonic

from api.engines.arm import Arm
from api.engines.arm_lists import ArmLists
from api.engines.served_engine import ServedEngine
from api.metrics import Metrics
from api.stores.model_watch import RETRY_SECONDS
from recsys.artifacts.experiments import Experiments
from recsys.artifacts.registry import Registry
from recsys.errors import RecsysError
from recsys.experiments.assignment import ArmName
from recsys.experiments.guardrails import Breach
from recsys.experiments.plan import Experiment

CLICKS_SECONDS = 900.0
"""Time between two looks at click-through, which needs a query."""

Load = Callable[[str], ServedEngine]
CheckClicks = Callable[[Experiment], Breach | None]

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Split:
    """A running experiment. `pinned`: the engines of the versions that its arms name, all of them loaded."""

    experiment: Experiment
    pinned: Mapping[str, ServedEngine]
    lists: ArmLists

    def engine(self, unit_id: str, current: ServedEngine) -> ServedEngine:
        """The engine of the arm of a user or a session; `current`: that of CURRENT."""
        arm = self.experiment.arm(unit_id)
        source = self.experiment.source(arm)
        return self.pinned.get(source, current).in_arm(
            Arm(arm, self.experiment.salt, is_popular=source == "popular", lists=self.lists)
        )


class ArmWatch:
    """Reads the store's EXPERIMENT as ModelWatch reads CURRENT. `refresh` is the only writer of `split`.

    If a version of an arm cannot be loaded here, nobody is split here: everybody gets CURRENT, outside the
    experiment, so that no user is counted for an arm that was not given. `load` makes the engine of a version; `keep`
    is called with each engine of an arm at every look; `check_clicks`: see `CLICKS_SECONDS`. `read_only`: see
    `Registry`. `clock`: seconds.
    """

    def __init__(
        self,
        folder: Path,
        metrics: Metrics,
        *,
        load: Load,
        read_only: str | None = None,
        keep: Callable[[ServedEngine], None] = lambda engine: None,
        check_clicks: CheckClicks | None = None,
        clock: Callable[[], float] = monotonic,
    ) -> None:
        self.split: Split | None = None
        self.trouble: str | None = None
        """Why an experiment that runs is not served here; None if it is, or none runs. Clients see it."""
        self._experiments = Experiments(Registry(folder, read_only=read_only))
        self._metrics, self._load, self._keep = metrics, load, keep
        self._check_clicks, self._clock = check_clicks, clock
        self._lock = Lock()
        self._retry_at, self._clicks_at = 0.0, 0.0
        self._ended: set[str] = set()

    async def run(self, seconds: float) -> None:
        """Refresh for ever, `seconds` apart, in a thread."""
        while True:
            await asyncio.sleep(seconds)
            await asyncio.to_thread(self.refresh)

    def refresh(self) -> None:
        """Split as EXPERIMENT says now; end the experiment if it breaks a guardrail."""
        with self._lock:
            try:
                self._follow(self._experiments.now())
            except Exception as error:  # whatever is wrong with the experiment, lists go on
                self._suspend("the experiment cannot be served", error)
            try:
                if self.split is not None:
                    self._guard(self.split)
            except Exception:  # a guardrail that cannot be read must not end the looks at the experiment
                logger.exception("the guardrails of the experiment cannot be checked")

    def engine(self, unit_id: str | None, current: ServedEngine) -> ServedEngine:
        """The engine for a user or a session: that of the arm, `current` outside of an experiment."""
        split = self.split
        return current if split is None or unit_id is None else split.engine(unit_id, current)

    def oldest(self, current: ServedEngine | None) -> ServedEngine | None:
        """The engine, of `current` and the arms', whose log ends first: it needs the most events."""
        pinned = () if self.split is None else tuple(self.split.pinned.values())
        return min((*pinned, *(() if current is None else (current,))), key=lambda it: it.fresh_after, default=None)

    def _follow(self, experiment: Experiment | None) -> None:
        if experiment is None or not experiment.runs or experiment.salt in self._ended:
            self.split = self.trouble = None
            return
        before = self.split
        if before is not None and before.experiment.salt == experiment.salt:
            if before.experiment != experiment:
                self.split = Split(experiment, self._pinned(experiment, before.pinned), before.lists)
        elif self.trouble is None or self._clock() >= self._retry_at:
            self.split = None
            self.split = Split(experiment, self._pinned(experiment, {}), ArmLists(experiment.guards, self._metrics))
            self.trouble = None
            self._clicks_at = self._clock() + CLICKS_SECONDS
            logger.info("experiment %s: control=%s treatment=%s", experiment.name, *_sources(experiment))
        for engine in () if self.split is None else self.split.pinned.values():
            self._keep(engine)

    def _pinned(self, experiment: Experiment, before: Mapping[str, ServedEngine]) -> dict[str, ServedEngine]:
        """The engines of the arms' versions; one that is rewritten without some people has another name then."""
        return {version: before.get(version) or self._load(version) for version in sorted(experiment.versions)}

    def _suspend(self, what: str, error: Exception) -> None:
        if self.trouble is None:
            logger.error("%s; everybody gets the version that serves: %s: %s", what, type(error).__name__, error)
        self.split, self.trouble = None, f"{what}; the service's log says why"
        self._retry_at = self._clock() + RETRY_SECONDS

    def _guard(self, split: Split) -> None:
        breach = split.lists.breach()
        if breach is None and self._check_clicks is not None and self._clock() >= self._clicks_at:
            self._clicks_at = self._clock() + CLICKS_SECONDS
            try:
                breach = self._check_clicks(split.experiment)
            except RecsysError as error:
                logger.warning("experiment %s: click-through is not checked: %s", split.experiment.name, error)
        if breach is not None:
            self._end(split.experiment, breach)

    def _end(self, experiment: Experiment, breach: Breach) -> None:
        """Here at once; for all others by the file. If it cannot be written, it is ended here all the same."""
        self._ended.add(experiment.salt)
        self.split = None
        self._metrics.count_breach(breach.guard)
        logger.error("experiment %s is ended by its guardrail %s: %s", experiment.name, breach.guard, breach.message)
        try:
            self._experiments.stop(by=breach.guard, reason=breach.message, salt=experiment.salt)
        except RecsysError as error:
            logger.error("experiment %s goes on elsewhere: %s", experiment.name, error)


def _sources(experiment: Experiment) -> tuple[str, str]:
    return experiment.control, experiment.treatment


def arms_of(split: Split | None, current: ServedEngine | None) -> Mapping[ArmName, str]:
    """The version of each arm as it is served now, or `popular`."""
    if split is None or current is None:
        return {}
    named = {arm: split.experiment.source(arm) for arm in ("control", "treatment")}
    return {arm: current.version if source == "current" else source for arm, source in named.items()}  # type: ignore[misc]
