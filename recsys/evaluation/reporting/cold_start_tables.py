"""The table of ways to make vectors for items without events, in both pages of the report."""

from collections.abc import Iterator

from recsys.evaluation.cold_start import ColdStartChoice
from recsys.evaluation.number_format import figure

NOTE = (
    "Warm items of the train side were hidden, got vectors from their content, and were ranked among themselves for"
    " users who chose some of them. The choice was made on these same items, so the figures of what was chosen are a"
    " little too good."
)


def columns(choice: ColdStartChoice) -> tuple[str, ...]:
    """The names of the columns: the candidate, then metrics."""
    return ("vectors from", *(choice.candidates[0].scores if choice.candidates else ()))


def rows(choice: ColdStartChoice) -> Iterator[tuple[str, ...]]:
    """One row per candidate."""
    for each in choice.candidates:
        yield each.name, *(figure(value) for value in each.scores.values())
