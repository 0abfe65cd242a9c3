"""The lines of a CSV text, and its runs of quotes: what every line would be if it started outside of quoted parts."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.data.ingest.record_blocks import CR, LF, Bytes

Positions = NDArray[np.int64]
Flags = NDArray[np.bool_]


class Lines:
    """The lines of a text; a carriage return with a line feed is one line end."""

    def __init__(self, text: Bytes, delimiter: str) -> None:
        self.text, self._delimiter = text, ord(delimiter)
        self.borders = np.zeros(256, np.bool_)
        """bool (256,): the bytes before and after a field."""
        self.borders[[self._delimiter, LF, CR]] = True

    @cached_property
    def breaks(self) -> Positions:
        """Where line feeds and carriage returns are."""
        return np.flatnonzero((self.text == LF) | (self.text == CR))

    @cached_property
    def starts(self) -> Positions:
        """int64 (n_lines,): where lines start; the last one has no end, and may be empty."""
        returns = self.breaks[self.text[self.breaks] == CR]
        paired = returns[returns + 1 < len(self.text)]
        paired = paired[self.text[paired + 1] == LF]
        ends = self.breaks if not len(paired) else np.setdiff1d(self.breaks, paired, assume_unique=True)
        return np.concatenate([[0], ends + 1])

    @cached_property
    def separators(self) -> Positions:
        """Where delimiters are."""
        return np.flatnonzero(self.text == self._delimiter)

    def n_separators(self, starts: Positions, ends: Positions) -> Positions:
        """int64 (n,): delimiters between two positions."""
        n: Positions = np.searchsorted(self.separators, ends) - np.searchsorted(self.separators, starts)
        return n

    def of(self, positions: Positions) -> Positions:
        """int64 (n,): the lines of positions."""
        at: Positions = np.searchsorted(self.starts, positions, side="right") - 1
        return at

    def n_with(self, n_separators: int) -> Positions:
        """int64 (n_lines + 1,): how many of the lines before each have so many separators."""
        ends = np.append(self.starts[1:], len(self.text))
        full = self.n_separators(self.starts, ends) == n_separators
        return np.concatenate([[0], np.cumsum(full)])


@dataclass(frozen=True, eq=False)
class OddRuns:
    """Runs of an odd number of quotes, by their first and last one and their line; `toggles`: they start a field."""

    firsts: Positions
    lasts: Positions
    lines: Positions
    toggles: Flags

    @cached_property
    def open_after(self) -> Flags:
        """Whether a part is open after each run, if every line starts outside of parts."""
        count = np.cumsum(self.toggles)
        is_first = np.diff(self.lines, prepend=-1) != 0
        reset = np.where(self.toggles, np.where(is_first, count - 1, -1), count)
        n_since: Positions = count - np.maximum.accumulate(reset)
        return (n_since % 2).astype(np.bool_)

    @cached_property
    def opens(self) -> Flags:
        """Whether each run opens a part, if every line starts outside of parts."""
        return self.toggles & self.open_after

    @cached_property
    def next_line(self) -> Positions:
        """The first run on a later line than each; the number of runs if there is none."""
        at: Positions = np.searchsorted(self.lines, self.lines, side="right")
        return at


def odd_runs(lines: Lines, quotes: Positions, *, final: bool) -> OddRuns:
    """A run that touches the end of a text that goes on counts too, because it may become an odd one."""
    at = np.flatnonzero(np.diff(quotes, prepend=-2) != 1)
    sizes = np.diff(at, append=len(quotes))
    firsts, text = quotes[at], lines.text
    lasts = firsts + sizes - 1
    kept = sizes % 2 == 1
    if not final and lasts[-1] == len(text) - 1:
        kept[-1] = True
    firsts, lasts = firsts[kept], lasts[kept]
    toggles = lines.borders[text[firsts - 1]] | (firsts == 0)
    return OddRuns(firsts, lasts, lines.of(firsts), toggles)
