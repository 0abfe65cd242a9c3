"""Which quotes of a CSV text enclose a part of a field, which are text, and which are stray.

With quoting, a quote opens a quoted part if it is the first byte of a field; within it `""` is a quote and line ends
are text; after the closing quote the field continues as plain text. A quote elsewhere is text too (`5" pipe`).
pyarrow's parser reads them the same way.

One stray quote must not swallow the records after it. An opening quote is stray if its part never ends, is longer
than `LONGEST_PART`, spans lines in a column that has one line per value, as ids have, spans lines but does not end
with its field, or spans lines that look like records of their own.
The record of a stray quote is its line; the next record starts at the next line.

How it is found, in a time that is bounded per byte whatever the text: a run of an even number of quotes changes
nothing. An odd run at the start of a field opens a part or closes one; an odd run elsewhere closes one if there is
one. So the state after every run follows from the runs before it on its line, for all lines at once, as if each line
started outside of parts. Only the parts that span lines are then followed one after the other.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from recsys.data.ingest.csv_dialect import Dialect
from recsys.data.ingest.csv_quote_runs import Flags, Lines, OddRuns, Positions, odd_runs
from recsys.data.ingest.record_blocks import Bytes, holds

LONGEST_PART = 1 << 20
"""Bytes of the longest quoted part; one of quotes alone may be longer."""

_QUOTE = ord('"')

_SEPARATORS_OF_RECORDS = 6
"""Lines look like records if each has as many separators as a record, and all together have at least as many."""

_MANY_LINES, _MOST_OF_THEM = 20, 0.75
"""Of many lines only this share must have as many separators: rows among them may have quotes of their own."""

_STRAY, _PART, _PENDING = 0, 1, 2
"""What an opening quote whose part does not end on its line is: stray, of a part, or not known yet."""


@dataclass(frozen=True, eq=False)
class Quotes:
    """The quotes of a text that have a meaning, as positions in it: int64 each.

    `bounds`: those that open and close quoted parts, alternately. `strays`: opening quotes that are stray.
    `pending`: the last opening quote, if more of the text must be known to tell what it is.
    """

    bounds: Positions
    strays: Positions
    pending: int | None = None


Kinds = NDArray[np.int8]

_NONE = np.empty(0, np.int64)


def find_quotes(text: Bytes, dialect: Dialect, *, final: bool) -> Quotes:
    """The quotes of `text` that have a meaning. `final`: it is the whole text, else more may follow."""
    if not dialect.quoted or not holds(text, _QUOTE):
        return Quotes(_NONE, _NONE)
    quotes = np.flatnonzero(text == _QUOTE)
    lines = Lines(text, dialect.delimiter)
    if _alternate(text, quotes, lines.borders):
        simple = _on_one_line(text, quotes, lines.breaks, final=final)
        if simple is not None:
            return simple
    return _Walk(lines, odd_runs(lines, quotes, final=final), dialect, final=final).quotes()


def _alternate(text: Bytes, quotes: Positions, borders: Flags) -> bool:
    """Whether the first quote of every pair is at the start of a field, and the second at the end of one.

    Then quotes simply open and close alternately (`""` closes and opens again).
    """
    opening, closing = quotes[0::2], quotes[1::2]
    before = opening[1:] if opening[0] == 0 else opening
    after = closing[:-1] if len(closing) and closing[-1] == len(text) - 1 else closing
    ends = borders.copy()
    ends[_QUOTE] = True
    return bool(ends[text[before - 1]].all() and ends[text[after + 1]].all())


def _on_one_line(text: Bytes, quotes: Positions, breaks: Positions, *, final: bool) -> Quotes | None:
    """The quotes, which alternate, if no part spans lines and no line is long; else None."""
    last = _unfinished(quotes, len(text), final=final)
    gap = int(np.diff(breaks, prepend=-1, append=len(text)).max())
    if gap >= LONGEST_PART or (np.searchsorted(quotes[:last], breaks) % 2).any():
        return None
    if last < len(quotes) and (final or (len(breaks) and breaks[-1] > quotes[last])):
        return None
    return Quotes(quotes[:last], _NONE, int(quotes[last]) if last < len(quotes) else None)


def _unfinished(quotes: Positions, size: int, *, final: bool) -> int:
    """The place in `quotes` of the opening quote of a part that may go on; the number of quotes if none does."""
    n = len(quotes)
    if n % 2 == 0 and (final or quotes[-1] < size - 1):
        return n
    at = n - 2 + n % 2
    apart = np.flatnonzero(quotes[2 : at + 1 : 2] != quotes[1:at:2] + 1)
    return 2 + 2 * int(apart[-1]) if len(apart) else 0


class _Walk:
    """The parts of a text, followed from the first to the last."""

    def __init__(self, lines: Lines, runs: OddRuns, dialect: Dialect, *, final: bool) -> None:
        self._lines, self._runs, self._dialect, self._final = lines, runs, dialect, final
        self._bounds: list[int] = []
        self._strays: list[int] = []
        self._live = np.ones(len(runs.firsts), np.bool_)
        self._separator = dialect.delimiter.encode()

    @cached_property
    def _size(self) -> int:
        return len(self._lines.text)

    @cached_property
    def _closes_on_line(self) -> Flags:
        """Of runs that open: whether the next run is on the same line, not too far, and its end is known."""
        lines, firsts, lasts = self._runs.lines, self._runs.firsts, self._runs.lasts
        near = np.zeros(len(lines), np.bool_)
        near[:-1] = (lines[1:] == lines[:-1]) & (lasts[1:] - firsts[:-1] <= LONGEST_PART)
        if not self._final and len(near) > 1:
            near[-2] &= lasts[-1] < self._size - 1
        return near

    def _kinds(self, opens: Positions) -> Kinds:
        """int8 (n,): what runs are if they open a part, but for the column that it is in."""
        if not len(opens):
            return np.empty(0, np.int8)
        runs, text, size = self._runs, self._lines.text, self._size
        firsts, closing = runs.firsts[opens], np.minimum(opens + 1, len(runs.firsts) - 1)
        closed = closing > opens
        ends = np.where(closed, runs.lasts[closing], np.minimum(firsts + 2 + LONGEST_PART, size))
        at_end = ends >= size - 1
        splits = closed & ~at_end & ~self._lines.borders[text[np.minimum(ends + 1, size - 1)]]
        on_last_line = ends >= self._lines.starts[-1]
        unknown = np.zeros(len(ends), np.bool_) if self._final else at_end | ~closed | (on_last_line & ~splits)
        stray = (ends - firsts > LONGEST_PART) | (~unknown & (~closed | splits))
        undecided = np.flatnonzero(~stray & ~unknown)
        stray[undecided] = self._like_records(runs.lines[opens[undecided]], runs.lines[closing[undecided]])
        return np.where(stray, _STRAY, np.where(unknown, _PENDING, _PART)).astype(np.int8)

    def _like_records(self, first: Positions, last: Positions) -> Flags:
        """Whether all lines that a part is on, or all that it holds whole, have the separators of a record."""
        n_separators = (self._dialect.n_fields or 1) - 1
        if not n_separators or not len(first):
            return np.zeros(len(first), np.bool_)
        before = self._lines.n_with(n_separators)
        alike = np.zeros(len(first), np.bool_)
        for start, stop in ((first, last + 1), (first + 1, last)):
            n_lines, n_full = stop - start, before[stop] - before[np.minimum(start, stop)]
            most = (n_full == n_lines) | ((n_lines >= _MANY_LINES) & (n_full >= _MOST_OF_THEM * n_lines))
            alike |= most & (n_lines * n_separators >= _SEPARATORS_OF_RECORDS)
        return alike

    def quotes(self) -> Quotes:
        """The quotes that have a meaning."""
        runs = self._runs
        unclosed = np.flatnonzero(runs.opens & ~self._closes_on_line)
        unclosed = unclosed[np.diff(runs.lines[unclosed], prepend=-1) != 0]  # what follows on its line is text
        places = self._places(unclosed)
        has_end = runs.lines[unclosed] < len(self._lines.starts) - 1
        kinds = np.full(len(unclosed), _STRAY, np.int8)
        open_to_lines = np.flatnonzero(~(self._dialect.forbids_line_ends(places) & has_end))
        kinds[open_to_lines] = self._kinds(unclosed[open_to_lines])
        reached, pending = self._follow(unclosed, kinds, places)
        strays = unclosed[reached & (kinds == _STRAY)]
        for at in strays[runs.next_line[strays] - strays > 1].tolist():
            self._live[at : runs.next_line[at]] = False
        opens = np.flatnonzero(runs.opens & self._closes_on_line & self._live)
        bounds = np.column_stack([runs.firsts[opens], runs.lasts[opens + 1]]).ravel()
        return _up_to(pending, _merged(bounds, self._bounds), _merged(runs.firsts[strays], self._strays))

    def _places(self, unclosed: Positions) -> Positions:
        """The column that each run opens a part in, if its line starts a record; 0 if that does not matter."""
        if not self._dialect.one_line or not len(unclosed):
            return np.zeros(len(unclosed), np.int64)
        runs, lines = self._runs, self._lines
        on = runs.lines[unclosed]
        wanted = np.zeros(len(lines.starts), np.bool_)
        wanted[on] = True
        parts = np.flatnonzero(runs.opens & self._closes_on_line & wanted[runs.lines])
        within = np.concatenate([[0], np.cumsum(lines.n_separators(runs.firsts[parts], runs.lasts[parts + 1]))])
        before = within[np.searchsorted(parts, unclosed)] - within[np.searchsorted(runs.lines[parts], on)]
        places: Positions = lines.n_separators(lines.starts[on], runs.firsts[unclosed]) - before
        return places

    def _follow(self, unclosed: Positions, kinds: Kinds, places: Positions) -> tuple[Flags, int | None]:
        """Which of the `unclosed` are outside of the parts of others, and the first one that is pending.

        A part that closes on a line with no further runs needs a look-up; the others are followed run by run.
        """
        runs, reached = self._runs, np.ones(len(unclosed), np.bool_)
        if not kinds.any():
            return reached, None
        closing = np.minimum(unclosed + 1, len(runs.lines) - 1)
        following = np.searchsorted(unclosed, runs.next_line[closing])
        notable = np.flatnonzero(kinds != _STRAY)
        is_simple = ((runs.next_line[closing] == unclosed + 2) & (kinds == _PART))[notable].tolist()
        jumps = np.searchsorted(notable, following[notable]).tolist()
        simple, at, pending = [], 0, None
        while at < len(notable) and pending is None:
            if is_simple[at]:
                simple.append(at)
                at = jumps[at]
                continue
            candidate = int(notable[at])
            start = int(unclosed[candidate])
            if kinds[candidate] == _PENDING:
                pending = int(runs.firsts[start])
                break
            stop, pending = self._follow_record(start, int(places[candidate]))
            following_one = int(np.searchsorted(unclosed, stop))
            reached[candidate + 1 : following_one] = False
            self._live[start:stop] = False
            at = int(np.searchsorted(notable, following_one))
        taken = notable[np.array(simple, np.int64)]
        reached[taken[following[taken] > taken + 1] + 1] = False
        self._take(unclosed[taken])
        return reached, pending

    def _take(self, opens: Positions) -> None:
        """Note the parts that these runs open, and the next ones close."""
        self._live[opens] = self._live[opens + 1] = False
        self._bounds += self._runs.firsts[opens].tolist() + self._runs.lasts[opens + 1].tolist()

    def _follow_record(self, opening: int, place: int) -> tuple[int, int | None]:
        """Follow a record from a run that opens a part, in the column `place`, over its lines.

        Returns the first run after it, and the opening quote that is pending, if one is.
        """
        runs, found = self._runs, None
        while True:
            closing = opening + 1
            self._bounds += (int(runs.firsts[opening]), int(runs.lasts[closing]))
            stop = int(runs.next_line[closing])
            found, place = self._next_opening(closing, stop, place)
            if found is None:
                return stop, None
            kind = self._kind_at(found, place)
            if kind == _PENDING:
                return stop, int(runs.firsts[found])
            if kind == _STRAY:
                self._strays.append(int(runs.firsts[found]))
                return stop, None
            opening = found

    def _next_opening(self, closing: int, stop: int, place: int) -> tuple[int | None, int]:
        """The run before `stop` that opens a part which does not end on the line, and its column."""
        runs, at, position = self._runs, closing + 1, int(self._runs.lasts[closing]) + 1
        while at < stop:
            if not runs.toggles[at]:
                at += 1
                continue
            place += self._data.count(self._separator, position, int(runs.firsts[at]))
            if not self._closes_on_line[at]:
                return at, place
            self._bounds += (int(runs.firsts[at]), int(runs.lasts[at + 1]))
            position, at = int(runs.lasts[at + 1]) + 1, at + 2
        return None, place

    def _kind_at(self, run: int, place: int) -> int:
        has_end = self._runs.lines[run] < len(self._lines.starts) - 1
        if has_end and self._dialect.forbids_line_ends(np.array([place])).any():
            return _STRAY
        return int(self._all_kinds[run])

    @cached_property
    def _all_kinds(self) -> Kinds:
        return self._kinds(np.arange(len(self._runs.firsts)))

    @cached_property
    def _data(self) -> bytes:
        return self._lines.text.tobytes()


def _merged(positions: Positions, others: list[int]) -> Positions:
    """The positions, which are sorted, and others among them."""
    return np.sort(np.concatenate([positions, np.array(others, np.int64)])) if others else positions


def _up_to(pending: int | None, bounds: Positions, strays: Positions) -> Quotes:
    """The quotes before the one that is pending."""
    if pending is None:
        return Quotes(bounds, strays)
    return Quotes(bounds[bounds < pending], strays[strays < pending], pending)
