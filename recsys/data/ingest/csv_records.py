"""Where the records of a CSV text start and end.

Without quoting, records end with `\\n`, `\\r\\n` or `\\r`, and a quote is text. With quoting, a quote opens a quoted
part if it is the first byte of a field; within it `""` is a quote and line ends are text; after the closing quote the
field continues as plain text. A quote elsewhere is text too (`5" pipe`). pyarrow's parser reads them the same way.

One stray quote must not swallow the records after it. An opening quote is stray if its part never ends, is longer
than `LONGEST_PART`, spans lines in a column that has one line per value, as ids have, spans lines but does not end
with its field, or spans lines that look like records of their own.
The record of a stray quote is its line; the next record starts at the next line.

Time and memory are bounded per byte, whatever the text: every quoted part is looked at once or twice.
"""

import re
from array import array
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.data.ingest.record_blocks import CR, LF, Bytes, holds, last_feed

Positions = NDArray[np.int64]

LONGEST_PART = 1 << 20
"""Bytes of the longest quoted part."""

_QUOTE = ord('"')
_LINE_END = re.compile(rb"[\r\n]")

_SEPARATORS_OF_RECORDS = 6
"""Lines look like records if each has as many separators as a record, and all together have at least as many."""

_MANY_LINES, _MOST_OF_THEM = 20, 0.75
"""Of many lines only this share must have as many separators: rows among them may have quotes of their own."""

_LONG_WITHOUT_FEED = 1 << 20
"""Bytes without a line feed after which carriage returns alone are taken to end the lines of a file."""

_MOST_PARTS = 1000
"""Quoted parts of a record; one further to the right is in no column."""


@dataclass(frozen=True)
class Dialect:
    """How fields are separated: `delimiter`, one ASCII character, and whether quotes have a meaning.

    `n_fields`: of a record, None if it is not known yet. `replaced`: the delimiter of the file, if recoding replaced
    it. `one_line`: the places of columns whose values have no line ends, such as ids.
    """

    delimiter: str
    quoted: bool = True
    n_fields: int | None = None
    replaced: str | None = None
    one_line: frozenset[int] = frozenset()


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a text, including blank ones: int64 (n,) each.

    `starts`, `ends`: the bytes of a record without its line end. `nexts`: where the following record starts.
    `n_fields`: its fields. `lines`: the number of its first line, counted from 0. `quoted_lines`: its line feeds
    within quotes. `stray`: bool (n,), whether a quote in it is stray.
    """

    starts: Positions
    ends: Positions
    nexts: Positions
    n_fields: Positions
    lines: Positions
    quoted_lines: Positions
    stray: NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Quotes:
    """The quotes of a text that have a meaning, as positions in it: int64 each.

    `bounds`: those that open and close quoted parts, alternately. `strays`: opening quotes that are stray.
    `pending`: the last opening quote, if more of the text must be known to tell what it is.
    """

    bounds: Positions
    strays: Positions
    pending: int | None = None


_NO_QUOTES = Quotes(np.empty(0, np.int64), np.empty(0, np.int64))


def end_of_records(data: Bytes, dialect: Dialect) -> int:
    """The length of the longest prefix of `data` with whole records only: it ends with a line feed outside quotes."""
    quotes = find_quotes(data, dialect, final=False)
    end = len(data) if quotes.pending is None else quotes.pending
    while (feed := last_feed(data, end)) >= 0:
        before = int(np.searchsorted(quotes.bounds, feed))
        if before % 2 == 0:
            return feed + 1
        end = int(quotes.bounds[before - 1])
    return _end_by_return(data, quotes) if len(data) >= _LONG_WITHOUT_FEED else 0


def _end_by_return(data: Bytes, quotes: Quotes) -> int:
    """The same for a text without line feeds: where it ends with a carriage return."""
    stop = len(data) - 1 if quotes.pending is None else quotes.pending
    returns = np.flatnonzero(data[:stop] == CR)
    returns = _outside(returns[data[returns + 1] != LF], quotes.bounds)
    return int(returns[-1]) + 1 if len(returns) else 0


def find_records(text: Bytes, dialect: Dialect) -> Records:
    """Every record of `text`, which must end with the line end of a record."""
    quotes = find_quotes(text, dialect, final=True)
    ends, nexts = _record_ends(text, quotes.bounds)
    starts = np.concatenate([[0], nexts])[:-1].astype(np.int64)
    feeds = np.flatnonzero(text == LF)
    delimiters = _outside(np.flatnonzero(text == ord(dialect.delimiter)), quotes.bounds)
    return Records(
        starts,
        ends,
        nexts,
        1 + _between(delimiters, starts, ends),
        np.searchsorted(feeds, starts),
        _between(_inside(feeds, quotes.bounds), starts, ends),
        _between(quotes.strays, starts, ends) > 0,
    )


def _between(positions: Positions, starts: Positions, ends: Positions) -> Positions:
    n_between: Positions = np.searchsorted(positions, ends) - np.searchsorted(positions, starts)
    return n_between


def _record_ends(text: Bytes, bounds: Positions) -> tuple[Positions, Positions]:
    """int64 (n,): where each record's text ends, and where the next record starts."""
    breaks = _outside(np.flatnonzero((text == LF) | (text == CR)), bounds)
    ended_by_cr = (text[breaks] == LF) & (breaks > 0) & (text[breaks - 1] == CR)
    ends = breaks[~ended_by_cr]
    paired = (text[ends] == CR) & (text[np.minimum(ends + 1, len(text) - 1)] == LF) & (ends + 1 < len(text))
    return ends, ends + 1 + paired


def _outside(positions: Positions, bounds: Positions) -> Positions:
    return positions if not len(bounds) else positions[np.searchsorted(bounds, positions) % 2 == 0]


def _inside(positions: Positions, bounds: Positions) -> Positions:
    inside: Positions = positions[np.searchsorted(bounds, positions) % 2 == 1]
    return inside


def find_quotes(text: Bytes, dialect: Dialect, *, final: bool) -> Quotes:
    """The quotes of `text` that have a meaning. `final`: it is the whole text, else more may follow."""
    if not dialect.quoted or not holds(text, _QUOTE):
        return _NO_QUOTES
    quotes = np.flatnonzero(text == _QUOTE)
    judge = _Judge(text, dialect, final=final)
    if not _alternate(text, quotes, dialect.delimiter):
        return judge.quotes_from(0)
    doubtful = judge.first_doubtful(quotes)
    if doubtful is None:
        return Quotes(quotes, _NO_QUOTES.strays)
    return judge.quotes_from(doubtful, before=quotes[quotes < doubtful])


def _alternate(text: Bytes, quotes: Positions, delimiter: str) -> bool:
    """Whether the first quote of every pair is at the start of a field, and the second at the end of one.

    Then quotes simply open and close alternately (`""` closes and opens again), and no scan is needed.
    """
    borders = np.zeros(256, np.bool_)
    borders[[ord(delimiter), LF, CR, _QUOTE]] = True
    opening, closing = quotes[0::2], quotes[1::2]
    before = opening[1:] if opening[0] == 0 else opening
    after = closing[:-1] if len(closing) and closing[-1] == len(text) - 1 else closing
    return bool(borders[text[before - 1]].all() and borders[text[after + 1]].all())


class _Part(NamedTuple):
    """A quoted part: its opening quote, and its closing one, or the end of what was searched."""

    start: int
    end: int
    closed: bool


class _Judge:
    """Judges the quoted parts of one text, one after the other."""

    def __init__(self, text: Bytes, dialect: Dialect, *, final: bool) -> None:
        self._text, self._data = text, text.tobytes()
        self._dialect, self._final = dialect, final
        self._separator = dialect.delimiter.encode()
        opening = rb'"(?<![^' + re.escape(self._separator) + rb'\r\n]")'
        # A part that is closed on its line, or else its opening quote alone, as group 1.
        self._parts = re.compile(opening + rb'(?:(?:[^"\r\n]++|"")*+"(?=[\x00-\xff])|())')
        self._rest_of_part = re.compile(rb'(?:[^"]++|"")*+("?)')

    def first_doubtful(self, quotes: Positions) -> int | None:
        """The start of the first part that is stray or pending, if quotes open and close alternately."""
        breaks = np.frombuffer(self._breaks, np.int64)
        last = self._unfinished(quotes)
        short = _longest_gap(breaks, len(self._text)) < LONGEST_PART
        if short and not len(_inside(breaks, quotes[:last])):
            return None if last == len(quotes) else int(quotes[last])
        starts, ends = _joined_parts(quotes, len(self._text))
        several = _between(breaks, starts, ends) > 0
        unsure = several | (ends >= len(self._text) - 1) | (ends - starts > LONGEST_PART)
        closed = ends < len(self._text)
        bounds = np.column_stack([starts, ends]).ravel()
        for at in np.flatnonzero(unsure).tolist():
            part = _Part(int(starts[at]), int(ends[at]), bool(closed[at]))
            if self._verdict(part, bounds[: 2 * at].data) is not True:
                return part.start
        return None

    def _unfinished(self, quotes: Positions) -> int:
        """The place in `quotes` of the opening quote of a part that may go on; the number of quotes if none does."""
        n = len(quotes)
        if n % 2 == 0 and (self._final or quotes[-1] < len(self._text) - 1):
            return n
        at = n - 2 + n % 2
        apart = np.flatnonzero(quotes[2 : at + 1 : 2] != quotes[1:at:2] + 1)
        return 2 + 2 * int(apart[-1]) if len(apart) else 0

    def quotes_from(self, at: int, *, before: Positions = _NO_QUOTES.bounds) -> Quotes:
        """The quotes from position `at`, outside any part, and those `before` it."""
        bounds, strays = array("q", before.tobytes()), array("q")
        pending = self._walk(at, bounds, strays)
        return Quotes(np.array(bounds, np.int64), np.array(strays, np.int64), pending)

    def _walk(self, at: int, bounds: "array[int]", strays: "array[int]") -> int | None:
        """Walk to the end, or to the quote that is pending, and note the quotes on the way."""
        while (found := self._parts.search(self._data, at)) is not None:
            start, at = found.span()
            if found[1] is None and at - start <= LONGEST_PART:
                bounds.append(start)
                bounds.append(at - 1)
                continue
            verdict, end = self._of_several_lines(start, bounds)
            if verdict is None:
                return start
            if verdict:
                bounds.append(start)
                bounds.append(end)
                at = end + 1
            else:
                strays.append(start)
                at = self._line_end(start)
        return None

    def _of_several_lines(self, start: int, bounds: Sequence[int]) -> tuple[bool | None, int]:
        """The verdict on the part from `start`, which is not closed on its line, and where it ends."""
        if self._line_end(start) < len(self._text) and self._has_one_line(start, bounds):
            return False, start
        part = self._part(start)
        return self._verdict(part, bounds), part.end

    def _part(self, start: int) -> _Part:
        rest = self._rest_of_part.match(self._data, start + 1, start + 2 + LONGEST_PART)
        if rest is None:  # the quote is the last byte
            return _Part(start, len(self._text), False)
        return _Part(start, rest.end() - bool(rest[1]), bool(rest[1]))

    def _verdict(self, part: _Part, bounds: Sequence[int]) -> bool | None:
        """True for a quoted part, False if its quote is stray, None if more of the text must be known.

        `bounds`: the quotes of the parts before it.
        """
        line_end = _LINE_END.search(self._data, part.start, part.end)
        if part.end - part.start > LONGEST_PART or (line_end is not None and self._has_one_line(part.start, bounds)):
            return False
        last = part.end >= len(self._text) - 1
        if not self._final and (last or not part.closed):
            return None
        if not part.closed or line_end is None:
            return part.closed
        after = LF if last else self._text[part.end + 1]
        if after not in (ord(self._dialect.delimiter), LF, CR):
            return False
        line_end_after = self._line_end(part.end)
        if line_end_after == len(self._text) and not self._final:
            return None
        return not self._look_like_records(part, line_end_after)

    def _has_one_line(self, start: int, bounds: Sequence[int]) -> bool:
        """Whether the part from `start` is in a column whose values have no line ends, or in none."""
        if not self._dialect.one_line:
            return False
        n_before, end, at = 0, start, len(bounds)
        for _ in range(_MOST_PARTS):
            closed = int(bounds[at - 1]) if at else -1
            line = self._line_start(end)
            n_before += self._data.count(self._separator, max(line, closed + 1), end)
            if line > closed or not at:
                return n_before in self._dialect.one_line or n_before >= (self._dialect.n_fields or n_before + 1)
            end, at = int(bounds[at - 2]), at - 2
        return True

    def _line_end(self, at: int) -> int:
        line_end = _LINE_END.search(self._data, at)
        return len(self._text) if line_end is None else line_end.start()

    def _line_start(self, at: int) -> int:
        line = bisect_left(self._breaks, at)
        return self._breaks[line - 1] + 1 if line else 0

    @cached_property
    def _breaks(self) -> "array[int]":
        """Where lines end."""
        return array("q", np.flatnonzero((self._text == LF) | (self._text == CR)).tobytes())

    def _look_like_records(self, part: _Part, line_end: int) -> bool:
        """Whether all lines that a part is on, or all that it holds whole, have the separators of a record."""
        lines = self._data[self._line_start(part.start) : line_end].splitlines()
        return self._are_full(lines) or self._are_full(lines[1:-1])

    def _are_full(self, lines: list[bytes]) -> bool:
        separators = (self._dialect.n_fields or 1) - 1
        if len(lines) * separators < _SEPARATORS_OF_RECORDS:
            return False
        n_full = sum(line.count(self._separator) == separators for line in lines)
        return n_full == len(lines) or (len(lines) >= _MANY_LINES and n_full >= _MOST_OF_THEM * len(lines))


def _longest_gap(breaks: Positions, size: int) -> int:
    return int(np.diff(breaks, prepend=-1, append=size).max())


def _joined_parts(quotes: Positions, size: int) -> tuple[Positions, Positions]:
    """int64 (k,): where each quoted part starts and ends, `""` being text; an open one ends at `size`."""
    starts, ends = quotes[0::2], quotes[1::2]
    if len(ends) < len(starts):
        ends = np.append(ends, size)
    apart = starts[1:] != ends[:-1] + 1
    return starts[np.append(True, apart)], ends[np.append(apart, True)]
