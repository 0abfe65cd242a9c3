"""HISTORY: which version served when, one JSON line per publish and rollback, and per change of an experiment."""

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from recsys.artifacts.manifest import VersionName
from recsys.errors import ArtifactError
from recsys.validation_errors import explained

if TYPE_CHECKING:
    from recsys.experiments.plan import Experiment


ExperimentChange = Literal["start", "share", "stop"]
"""What happens to an experiment."""


class HistoryEntry(BaseModel):
    """One line: at `at` (UTC, ISO 8601) the pointer went from `previous` (None: there was none) to `version`.

    A rollback from a pointer that names no version has the version of the line before as its `previous`.

    A line is written just before the pointer moves. If a process was killed between the two, the line's version
    never served, and the `previous` of the next line, or CURRENT, says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: str
    action: Literal["publish", "rollback"]
    version: VersionName
    previous: VersionName | None


class ExperimentEntry(BaseModel):
    """One line: at `at` (UTC, ISO 8601) an experiment was started or stopped, or its share changed."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    at: str
    action: Literal["experiment"] = "experiment"
    change: ExperimentChange
    name: str
    control: str
    treatment: str
    share: float
    by: str = "operator"
    reason: str = ""

    @staticmethod
    def of(experiment: "Experiment", change: ExperimentChange) -> "ExperimentEntry":
        """The line of a change that has just been made."""
        stop = experiment.stop
        return ExperimentEntry(
            at=experiment.share_since if stop is None else stop.at,
            change=change,
            name=experiment.name,
            control=experiment.control,
            treatment=experiment.treatment,
            share=experiment.share,
            by="operator" if stop is None else stop.by,
            reason="" if stop is None else stop.reason,
        )


_LINE: TypeAdapter[HistoryEntry | ExperimentEntry] = TypeAdapter(
    Annotated[HistoryEntry | ExperimentEntry, Field(discriminator="action")]
)


def parse_history(path: Path, text: str) -> list[HistoryEntry]:
    """The moves of the pointer, oldest first. Raises ArtifactError naming the file and the line that is no entry."""
    return [entry for entry in _parse(path, text) if isinstance(entry, HistoryEntry)]


def parse_experiments(path: Path, text: str) -> list[ExperimentEntry]:
    """The changes of experiments, oldest first. Raises ArtifactError as `parse_history` does."""
    return [entry for entry in _parse(path, text) if isinstance(entry, ExperimentEntry)]


def _parse(path: Path, text: str) -> list[HistoryEntry | ExperimentEntry]:
    entries = []
    for number, line in enumerate(text.splitlines(), start=1):
        try:
            entries.append(_LINE.validate_json(line))
        except ValidationError as error:
            raise ArtifactError(f"{path}: line {number} is not a history entry: {explained(error)}") from error
    return entries


def ancestry(entries: Iterable[HistoryEntry], current: str | None) -> list[str]:
    """The versions that a rollback from `current` would return to, oldest first, and `current` last.

    A publish adds to what served before it. A rollback steps back and forgets the version it left, so that rolling
    back twice goes two versions back and never returns to the version that was rolled back from.
    """
    line: list[str] = []
    for entry in entries:
        _step_back(line, entry.previous)
        if entry.action == "rollback":
            _step_back(line, entry.version)
        elif line[-1:] != [entry.version]:
            line.append(entry.version)
    _step_back(line, current)
    return line


def _step_back(line: list[str], version: str | None) -> None:
    if version is None:
        line.clear()
    elif version in line:
        last = len(line) - line[::-1].index(version)
        del line[last:]
    else:
        line.append(version)
