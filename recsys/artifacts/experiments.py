"""Experiments: starting, changing and ending the experiment of a store."""

import logging
import secrets
from datetime import UTC, datetime
from pathlib import Path

from pydantic import ValidationError

from recsys.artifacts.experiment import read_experiment, write_experiment
from recsys.artifacts.history import ExperimentChange, ExperimentEntry
from recsys.artifacts.registry import Registry
from recsys.artifacts.store_reader import EXPERIMENT
from recsys.errors import ArtifactError, ConfigError
from recsys.experiments.guardrails import Guards
from recsys.experiments.plan import Experiment, Goal, Source, Stop, StoppedBy

_DEFAULT_GUARDS = Guards()

logger = logging.getLogger(__name__)


class Experiments:
    """The experiment of one store: at most one runs at a time. Every change is a line of HISTORY."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry

    @property
    def path(self) -> Path:
        """The file that services read."""
        return self._registry.store / EXPERIMENT

    def now(self) -> Experiment | None:
        """The experiment that runs, or the last one that ended. Raises ArtifactError if the file is damaged."""
        return read_experiment(self.path)

    def running(self) -> Experiment:
        """The experiment that runs. Raises ConfigError if none does."""
        found = self.now()
        if found is None or not found.runs:
            raise ConfigError(f"{self._registry.store}: no experiment runs; `recsys experiment start` starts one")
        return found

    def start(
        self,
        *,
        control: Source,
        treatment: Source,
        share: float,
        goal: Goal,
        name: str = "",
        guards: Guards = _DEFAULT_GUARDS,
    ) -> Experiment:
        """Split users from now on. Versions are verified and loaded once before.

        Raises ConfigError if an experiment runs, both arms are the same, a version is not in the store or a setting
        is out of range; ArtifactError if a version is damaged or the disk refuses.
        """
        self._check_arms(control, treatment)
        now = _now()
        try:
            started = Experiment(
                name=name or f"experiment-{now[:10]}",
                salt=secrets.token_hex(8),
                control=control,
                treatment=treatment,
                share=share,
                started_at=now,
                share_since=now,
                goal=goal,
                guards=guards,
            )
        except ValidationError as error:
            raise ConfigError(_explain(error)) from None

        def start() -> Experiment:
            running = self.now()
            if running is not None and running.runs:
                raise ConfigError(f"{self.path}: {running.name} runs; `recsys experiment stop` ends it")
            return self._write(started, "start")

        return self._registry.changing(start)

    def change_share(self, share: float) -> Experiment:
        """Let treatment have another share of the users from now on; what was counted before counts no more.

        Raises ConfigError if none runs, or the share is not inside 0 to 1.
        """
        if not 0 < share < 1:
            raise ConfigError(f"share: got {share:g}; expected more than 0 and less than 1")

        def change() -> Experiment:
            changed = self.running().model_copy(update={"share": share, "share_since": _now()})
            return self._write(changed, "share")

        return self._registry.changing(change)

    def stop(self, *, by: StoppedBy = "operator", reason: str = "", salt: str | None = None) -> Experiment:
        """End the experiment: everybody gets CURRENT. Raises ConfigError if none runs.

        `salt`: only that of this experiment; another one, started meanwhile, runs on.
        """

        def end() -> Experiment:
            running = self.running()
            if salt not in (None, running.salt):
                raise ConfigError(f"{self.path}: another experiment runs by now, {running.name}")
            ended = running.model_copy(update={"stop": Stop(at=_now(), by=by, reason=reason)})
            return self._write(ended, "stop")

        return self._registry.changing(end)

    def _check_arms(self, control: Source, treatment: Source) -> None:
        registry = self._registry
        serving = registry.current()
        if serving is None:
            raise ConfigError(f"{registry.store}: nothing has been published yet, so there is nothing to compare")
        told = [serving if source == "current" else source for source in (control, treatment)]
        if told[0] == told[1]:
            same = f"the version that serves, {serving}" if serving in told else control
            raise ConfigError(f"--treatment {treatment}: both arms are {same}; name another version, or popular")
        for option, source in (("control", control), ("treatment", treatment)):
            if source in ("current", "popular"):
                continue
            if source not in registry.names():
                raise ConfigError(
                    f"--{option} {source}: no such version in {registry.store}; expected one that "
                    f"`recsys models --store {registry.store}` lists, current or popular"
                )
            registry.verify(source)

    def _write(self, experiment: Experiment, change: ExperimentChange) -> Experiment:
        """The file first, because it is what counts; a line that cannot be written is told. Returns `experiment`."""
        write_experiment(self.path, experiment)
        entry = ExperimentEntry.of(experiment, change)
        try:
            self._registry.append_history(entry)
        except ArtifactError as error:
            logger.warning("HISTORY has no line of this change: %s", error)
        logger.info("experiment %s: %s", experiment.name, change)
        return experiment


def _explain(error: ValidationError) -> str:
    problem = error.errors(include_input=False)[0]
    return f"{'.'.join(map(str, problem['loc']))}: {problem['msg'].replace('Input should be', 'expected')}"


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="seconds")
