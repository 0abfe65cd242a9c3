"""SplitSummary: what a split left out, and times that are not where they should be."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING

from recsys.data.cleaning import CleaningSummary
from recsys.evaluation.number_format import count

if TYPE_CHECKING:
    pass
from recsys.evaluation.provenance.summary import OrAbsent, Summary


def other_users(cleaning: CleaningSummary) -> str:
    """How many users of the log were not trained on, and what they are served; empty if there are none."""
    parts = (
        (cleaning.n_folded_in, "folded in"),
        (cleaning.n_bots, "with too many events"),
        (cleaning.n_without_history, "without a trained item"),
    )
    told = ", ".join(f"{count(n)} {what}" for n, what in parts if n)
    return f"other users: {told}" if told else ""


class StrayTimes(Summary):
    """Events far outside of a log's span (`recsys.data.log_span`): they are kept, but move no date.

    `n_before`, `n_after`: their numbers. `oldest`, `newest`: UTC seconds of the farthest ones, None if there are none
    on that side; `oldest_row`, `newest_row`: source and position of their rows.
    """

    n_before: int = 0
    n_after: int = 0
    oldest: OrAbsent[int] = None
    oldest_row: OrAbsent[str] = None
    newest: OrAbsent[int] = None
    newest_row: OrAbsent[str] = None

    def sentence(self) -> str:
        """How many there are, and the farthest row on each side."""
        parts = []
        if self.n_after:
            parts.append(_strays(self.n_after, "after the end of the log", self.newest, self.newest_row, "newest"))
        if self.n_before:
            parts.append(_strays(self.n_before, "before its beginning", self.oldest, self.oldest_row, "oldest"))
        return f"stray times: {'; '.join(parts)}. They are kept, but move no date"


def _strays(n: int, where: str, seconds: int | None, row: str | None, which: str) -> str:
    moment = "" if seconds is None else f", the {which} at {datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%SZ}"
    place = f" ({row})" if row else ""
    return f"{n:,} event{'' if n == 1 else 's'} far {where}{moment}{place}"


class LearnedFrom(Summary):
    """What settings, neighbours and baselines of items were learned from, if not from the whole log.

    `n_events`: of whole users, drawn at random. `of_events`: in the log.
    """

    n_events: int
    of_events: int

    def sentence(self) -> str:
        """For report and log."""
        return (
            f"settings, neighbours and baselines of items are learned from {count(self.n_events)} of"
            f" {count(self.of_events)} events, whole users drawn at random (compute.sample_events)"
        )


class SplitSummary(Summary):
    """What was held out: `kind` as in `evaluate.split`, the rest as in `Split`. `cut`: UTC seconds.

    `exclude_seen`: whether the measured lists leave out seen items. `seen_events`: the kinds of event that make an
    item seen; every kind if it is empty. `held_seconds`: the length of a temporal holdout.
    """

    kind: str
    cut: int | None
    counts: dict[str, int]
    dropped: dict[str, int]
    dropped_users: dict[str, int]
    exclude_seen: bool = True
    seen_events: tuple[str, ...] = ()
    held_seconds: OrAbsent[int] = None
