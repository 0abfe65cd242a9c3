"""Where the records of a CSV text start and end.

Without quoting, records end with `\\n`, `\\r\\n` or `\\r`, and a quote is text. With quoting, a quote opens a quoted
part if it is the first byte of a field; within it `""` is a quote and line ends are text; after the closing quote the
field continues as plain text. A quote elsewhere is text too (`5" pipe`). pyarrow's parser reads them the same way.

One stray quote must not swallow the records after it. An opening quote is stray if its part never ends, is longer
than `LONGEST_PART`, spans lines but does not end with its field, or spans lines that look like records of their own.
The record of a stray quote is its line; the next record starts at the next line.
"""

import re
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from recsys.data.ingest.text_blocks import CR, LF, Bytes, holds, last_feed

Positions = NDArray[np.int64]

LONGEST_PART = 1 << 20
"""Bytes of the longest quoted part."""

_QUOTE = ord('"')
_LINE_END = re.compile(rb"[\r\n]")

_SEPARATORS_OF_RECORDS = 6
"""Lines look like records if each has as many separators as a record, and all together have at least as many."""


@dataclass(frozen=True)
class Dialect:
    """How fields are separated: `delimiter`, one ASCII character, and whether quotes have a meaning.

    `n_fields`: of a record, None if it is not known yet. `replaced`: the delimiter of the file, if recoding replaced
    it.
    """

    delimiter: str
    quoted: bool = True
    n_fields: int | None = None
    replaced: str | None = None


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
    return 0


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
        self._text, self._data = text, text.data
        self._dialect, self._final = dialect, final
        self._separator = dialect.delimiter.encode()
        opening = rb'"(?<![^' + re.escape(self._separator) + rb'\r\n]")'
        # A part that is closed on its line, or else its opening quote alone, as group 1.
        self._parts = re.compile(opening + rb'(?:(?:[^"\r\n]++|"")*+"(?=[\x00-\xff])|())')
        self._rest_of_part = re.compile(rb'(?:[^"]++|"")*+("?)')

    def first_doubtful(self, quotes: Positions) -> int | None:
        """The start of the first part that is stray or pending, if quotes open and close alternately."""
        breaks = np.flatnonzero((self._text == LF) | (self._text == CR))
        last = self._unfinished(quotes)
        short = _longest_gap(breaks, len(self._text)) < LONGEST_PART
        if short and not len(_inside(breaks, quotes[:last])):
            return None if last == len(quotes) else int(quotes[last])
        starts, ends = _joined_parts(quotes, len(self._text))
        several = _between(breaks, starts, ends) > 0
        unsure = several | (ends >= len(self._text) - 1) | (ends - starts > LONGEST_PART)
        closed = ends < len(self._text)
        parts = zip(starts[unsure].tolist(), ends[unsure].tolist(), closed[unsure].tolist(), strict=True)
        return next((part[0] for part in parts if self._verdict(_Part(*part)) is not True), None)

    def _unfinished(self, quotes: Positions) -> int:
        """The place in `quotes` of the opening quote of a part that may go on; the number of quotes if none does."""
        n = len(quotes)
        if n % 2 == 0 and (self._final or quotes[-1] < len(self._text) - 1):
            return n
        at = n - 2 + n % 2
        while at > 0 and quotes[at] == quotes[at - 1] + 1:
            at -= 2
        return at

    def quotes_from(self, at: int, *, before: Positions = _NO_QUOTES.bounds) -> Quotes:
        """The quotes from position `at`, outside any part, and those `before` it."""
        bounds: list[int] = []
        strays: list[int] = []
        next_at: int | None = at
        while next_at is not None:
            next_at, pending = self._walk(next_at, bounds, strays)
        found = np.concatenate([before, np.array(bounds, np.int64)])
        return Quotes(found, np.array(strays, np.int64), pending)

    def _walk(self, at: int, bounds: list[int], strays: list[int]) -> tuple[int | None, int | None]:
        """Walk up to the next part that is not closed on its line; where to go on, or the pending quote."""
        for found in self._parts.finditer(self._data, at):
            start, end = found.span()
            if found[1] is None and end - start <= LONGEST_PART:
                bounds += (start, end - 1)
                continue
            part = self._part(start)
            verdict = self._verdict(part)
            if verdict is None:
                return None, start
            if verdict:
                bounds += (start, part.end)
                return part.end + 1, None
            strays.append(start)
            line_end = _LINE_END.search(self._data, start)
            return len(self._text) if line_end is None else line_end.start(), None
        return None, None

    def _part(self, start: int) -> _Part:
        rest = self._rest_of_part.match(self._data, start + 1, start + 2 + LONGEST_PART)
        if rest is None:  # the quote is the last byte
            return _Part(start, len(self._text), False)
        return _Part(start, rest.end() - bool(rest[1]), bool(rest[1]))

    def _verdict(self, part: _Part) -> bool | None:
        """True for a quoted part, False if its quote is stray, None if more of the text must be known."""
        last = part.end >= len(self._text) - 1
        if part.end - part.start > LONGEST_PART:
            return False
        if not self._final and (last or not part.closed):
            return None
        if not part.closed:
            return False
        if _LINE_END.search(self._data, part.start, part.end) is None:
            return True
        after = LF if last else self._text[part.end + 1]
        if after not in (ord(self._dialect.delimiter), LF, CR):
            return False
        line_end = _LINE_END.search(self._data, part.end)
        if line_end is None and not self._final:
            return None
        return not self._look_like_records(part, len(self._text) if line_end is None else line_end.start())

    def _look_like_records(self, part: _Part, line_end: int) -> bool:
        """Whether all lines that a part is on, or all that it holds whole, have the separators of a record."""
        lines = self._text[last_feed(self._text, part.start) + 1 : line_end].tobytes().splitlines()
        return self._are_full(lines) or self._are_full(lines[1:-1])

    def _are_full(self, lines: list[bytes]) -> bool:
        separators = (self._dialect.n_fields or 1) - 1
        if len(lines) * separators < _SEPARATORS_OF_RECORDS:
            return False
        return all(line.count(self._separator) == separators for line in lines)


def _longest_gap(breaks: Positions, size: int) -> int:
    return int(np.diff(breaks, prepend=-1, append=size).max())


def _joined_parts(quotes: Positions, size: int) -> tuple[Positions, Positions]:
    """int64 (k,): where each quoted part starts and ends, `""` being text; an open one ends at `size`."""
    starts, ends = quotes[0::2], quotes[1::2]
    if len(ends) < len(starts):
        ends = np.append(ends, size)
    apart = starts[1:] != ends[:-1] + 1
    return starts[np.append(True, apart)], ends[np.append(apart, True)]
