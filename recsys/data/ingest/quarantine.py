"""Quarantine: where refused rows go, with file, line and reason."""

import json
from collections import Counter
from pathlib import Path
from types import TracebackType

import numpy as np

from recsys.data.ingest.accounting import RowCounts
from recsys.data.ingest.offending_values import OffendingValues
from recsys.data.ingest.refusals import REASONS, Reason, Refusals
from recsys.errors import TooManyRefusedError

_EXAMPLES = 3


class Quarantine:
    """Counts refused rows by reason, remembers a few places of each, and keeps the first rows in a file.

    The file holds one JSON object a row, {"file", "line", "reason", "row"}, at most `limit` of them, in the order
    of the log. It is written even where nothing is refused, so that it never tells of an earlier run.
    Use it as a context manager; without a `path` it only counts.
    """

    def __init__(self, path: Path | None, *, limit: int) -> None:
        self._path = path
        self._left = limit
        self._examples: dict[Reason, list[str]] = {}
        self._values = OffendingValues()
        self.counts: Counter[str] = Counter()
        if path is not None:
            path.parent.mkdir(parents=True, exist_ok=True)
        self._file = path.open("w", encoding="utf-8") if path is not None else None

    def __enter__(self) -> "Quarantine":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, refused: Refusals) -> None:
        """Take the refused rows of the next block of the log."""
        for number, count in enumerate(np.bincount(refused.faults, minlength=len(REASONS))):
            if count:
                self.counts[REASONS[number]] += int(count)
                self._remember(refused, number)
        self._values.add(refused)
        self._write(refused)

    def _remember(self, refused: Refusals, number: int) -> None:
        places = self._examples.setdefault(REASONS[number], [])
        for line in refused.lines[refused.faults == number][: _EXAMPLES - len(places)]:
            places.append(f"{refused.source}:{line}")

    def _write(self, refused: Refusals) -> None:
        if self._file is None:
            return
        kept = list(zip(refused.lines.tolist(), refused.faults.tolist(), refused.rows, strict=False))[: self._left]
        self._left -= len(kept)
        for line, number, row in kept:
            record = {"file": refused.source, "line": line, "reason": REASONS[number], "row": row}
            self._file.write(json.dumps(record, ensure_ascii=False) + "\n")

    def check(self, counts: RowCounts, *, max_share: float) -> None:
        """Raise TooManyRefusedError where `counts` refuses a larger share than `max_share`, saying what and where."""
        if counts.refused_share <= max_share:
            return
        kept = f"\nThe refused rows are in {self._path}." if self._path is not None else ""
        raise TooManyRefusedError(
            f"{counts.n_refused:,} of {counts.rows_read:,} rows ({counts.refused_share:.1%}) are refused; "
            f"log.max_refused_share allows {max_share:.1%}:\n{self.summary()}{kept}\n"
            f"Correct the log or the settings of [log]{_otherwise(counts)}."
        )

    def summary(self) -> str:
        """One line a reason: rows, the reason, its meaning, what was found, a few places. Most frequent first."""
        return "\n".join(self._line(Reason(reason), count) for reason, count in self.counts.most_common())

    def _line(self, reason: Reason, count: int) -> str:
        parts = [reason.meaning, self._values.told(reason), ", ".join(self._examples[reason])]
        return f"  {count:,} x {reason}: {'; '.join(part for part in parts if part)}"


def _otherwise(counts: RowCounts) -> str:
    if not counts.accepted:  # A log of which nothing is left is read wrongly, whatever share is allowed.
        return ""
    share = _rounded_up(counts.refused_share)
    return f"; or, where this is how the log is, set log.max_refused_share to {share} or more"


def _rounded_up(share: float) -> float:
    return min(1.0, int(share * 100 + 1) / 100)
