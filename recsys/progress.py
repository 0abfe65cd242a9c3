"""Progress of long-running work: a callback, so that the work does not depend on how progress is shown."""

from typing import Protocol


class Progress(Protocol):
    """A listener: a progress bar on a terminal, plain lines elsewhere, silence in a test."""

    def __call__(self, stage: str, done: float, total: float | None) -> None:
        """`stage` names the work; `done` of `total` in the same unit; `total` None when it is unknown."""


def silent(stage: str, done: float, total: float | None) -> None:
    """Listen to nothing."""
