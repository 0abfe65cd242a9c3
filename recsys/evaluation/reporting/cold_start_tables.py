"""The table of ways to make vectors for items without events, in both pages of the report."""

from collections.abc import Iterator

from recsys.evaluation.cold_start import ColdStartChoice, MeanOfUsers
from recsys.evaluation.number_format import count, figure

NOTE = (
    "Warm items of the train side were hidden, got vectors from their content, and were ranked among themselves for"
    " users who chose some of them. The choice was made on these same items, so the figures of what was chosen are a"
    " little too good."
)


def columns(choice: ColdStartChoice) -> tuple[str, ...]:
    """The names of the columns: the candidate, then metrics."""
    return ("vectors from", *(choice.candidates[0].scores if choice.candidates else ()))


MEASURED = (
    "Items that a fit of its own never saw, or of which it saw that many users; other items than those of the choice."
    " Each is to be found for users who were taken away from it, among the items of its row and among all."
)


def measured_columns(choice: ColdStartChoice) -> tuple[str, ...]:
    """The names of the columns of what was measured."""
    ways = choice.measured.slices[0].among_cold if choice.measured else ()
    return ("users of item", "ranked among", "items", "users", *ways)


def measured_rows(choice: ColdStartChoice) -> Iterator[tuple[str, ...]]:
    """Two rows per slice: among themselves, and among all items."""
    for each in choice.measured.slices if choice.measured else ():
        counts = count(each.n_items), count(each.n_users)
        for name, ways in (("themselves", each.among_cold), ("all items", each.among_all)):
            yield each.users_of_item, name, *counts, *(_interval(way) for way in ways.values())


def _interval(value: MeanOfUsers) -> str:
    if value.low is None or value.high is None:
        return figure(value.mean)
    return f"{figure(value.mean)} ({figure(value.low)} to {figure(value.high)})"


def rows(choice: ColdStartChoice) -> Iterator[tuple[str, ...]]:
    """One row per candidate."""
    for each in choice.candidates:
        yield each.name, *(figure(value) for value in each.scores.values())
