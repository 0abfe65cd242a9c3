"""StepSummary: what every step's summary has."""

from abc import abstractmethod
from typing import ClassVar, TypeVar

from pydantic import JsonValue

from recsys.evaluation.provenance import (
    Summary,
)


class StepSummary(Summary):
    """The summary of one step. `step`: its name."""

    step: ClassVar[str]

    @abstractmethod
    def sentence(self) -> str:
        """One line for people."""

    @abstractmethod
    def log_fields(self) -> dict[str, JsonValue]:
        """What the log of the night says: `rows_in`, `rows_out`, and a few more counts; never an id of a user."""


AnySummary = TypeVar("AnySummary", bound=StepSummary)
