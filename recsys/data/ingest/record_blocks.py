"""Text cut into blocks of whole records, so that a block takes a bounded amount of memory to parse."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

LF, CR = ord("\n"), ord("\r")
LONGEST_RECORD = 8 << 20
"""Bytes of the longest line that is read."""

MOST_LINES, MOST_QUOTES = 1 << 19, 1 << 21
"""Of a block, about: what is kept of a line or a quote while it is parsed takes more memory than the text itself."""

_PIECE = 1 << 18
BLANK_RUN = _PIECE // 2
"""Bytes of line ends alone that are not parsed, but a block of their own."""

_QUOTE = ord('"')
_SHOWN = 2000
"""Bytes that are kept of a line that is too long."""

Bytes = NDArray[np.uint8]
"""Text as bytes, uint8 (n,)."""

EndOfRecords = Callable[[Bytes], int]
"""The length of the longest prefix of a text that holds whole records only."""


@dataclass(frozen=True, eq=False)
class TextBlock:
    """Whole records: `data` ends with a line end; `first_line` is its first line's number, counted from 1.

    `is_overlong`: it is one line that is too long to be read, and `data` its beginning.
    """

    data: Bytes
    first_line: int
    is_overlong: bool = False

    @cached_property
    def n_lines(self) -> int:
        """Line feeds in `data`."""
        return _count(self.data, LF)

    @cached_property
    def is_blank(self) -> bool:
        """Whether `data` is many line ends alone."""
        return len(self.data) >= BLANK_RUN and _line_ends_at_start(self.data) == len(self.data)

    @property
    def n_line_ends(self) -> int:
        """Line feeds, and carriage returns that none follows."""
        pairs = (self.data[1:] == LF) & (self.data[:-1] == CR)
        return self.n_lines + _count(self.data, CR) - int(np.count_nonzero(pairs))


def holds(text: Bytes, byte: int) -> bool:
    """Whether a byte occurs in a text."""
    return any((piece == byte).any() for piece in _pieces(text))


def _count(text: Bytes, byte: int) -> int:
    return sum(int(np.count_nonzero(piece == byte)) for piece in _pieces(text))


def _line_ends_at_start(text: Bytes) -> int:
    """How many line feeds and carriage returns a text starts with."""
    size = 0
    for piece in _pieces(text):
        others = ~_are_line_ends(piece)
        if others.any():
            return size + int(others.argmax())
        size += len(piece)
    return size


def _are_line_ends(text: Bytes) -> NDArray[np.bool_]:
    ends: NDArray[np.bool_] = (text == LF) | (text == CR)
    return ends


def _pieces(text: Bytes, size: int = _PIECE) -> Iterator[Bytes]:
    """The text in pieces that fit the processor's cache."""
    return (text[start : start + size] for start in range(0, len(text), size))


def last_feed(text: Bytes, end: int) -> int:
    """The position of the last line feed before `end`, -1 if there is none."""
    while end > 0:
        start = max(0, end - _PIECE)
        feeds = np.flatnonzero(text[start:end] == LF)
        if len(feeds):
            return start + int(feeds[-1])
        end = start
    return -1


def after_line(text: Bytes) -> Bytes | None:
    """What follows the first line; None if the text has no line end."""
    at = 0
    for piece in _pieces(text):
        feeds = np.flatnonzero(piece == LF)
        if len(feeds):
            return text[at + int(feeds[0]) + 1 :]
        at += len(piece)
    return None


def ended(text: Bytes) -> Bytes:
    """The text with a line feed at its end."""
    return text if text[-1] == LF else np.append(text, np.uint8(LF))


def overlong(text: Bytes, line: int) -> TextBlock:
    """The block of a line that is too long: its beginning."""
    return TextBlock(ended(text[:_SHOWN]), line, is_overlong=True)


def cut_blocks(
    text: Bytes, line: int, end_of_records: EndOfRecords, *, longest: int
) -> Iterator[tuple[TextBlock, int]]:
    """The whole records of `text` in blocks, and where each ends in it. `line`: the number of the first line.

    None of them has many more than MOST_LINES lines or MOST_QUOTES quotes. A line of more than `longest` bytes is a
    block of its own; what is before it ends there.
    """
    at = 0
    for start, end in _overlong_lines(text, longest):
        for part in _all_records(text[at:start], end_of_records):
            block, at = TextBlock(part, line), at + len(part)
            yield block, at
            line += block.n_lines
        yield overlong(text[start:end], line), (at := end)
        line += int(text[end - 1] == LF)
    for part in _whole_records(text[at:], end_of_records):
        block, at = TextBlock(part, line), at + len(part)
        yield block, at
        line += block.n_lines


def _overlong_lines(text: Bytes, longest: int) -> list[tuple[int, int]]:
    """Where the lines of more than `longest` bytes start, and where the next ones do."""
    halves = _pieces(text, max(1, longest // 2))
    if len(text) <= longest or all(last_feed(half, len(half)) >= 0 for half in halves):
        return []
    feeds = np.flatnonzero(text == LF)
    starts = np.concatenate([[0], feeds[:-1] + 1]) if len(feeds) else feeds
    long = feeds - starts > longest
    stretches = zip(starts[long].tolist(), (feeds[long] + 1).tolist(), strict=True)
    return [part for start, end in stretches for part in _between_returns(text, start, end, longest)]


def _between_returns(text: Bytes, start: int, end: int, longest: int) -> Iterator[tuple[int, int]]:
    """The parts of more than `longest` bytes of a stretch without a line feed inside, whose lines may end with CR."""
    at, size = start, max(1, longest // 2)
    for first in range(start, end, size):
        returns = text[first : min(first + size, end)] == CR
        if not returns.any():
            continue
        if (found := first + int(returns.argmax())) - at > longest:
            yield at, found + 1
        at = first + len(returns) - int(returns[::-1].argmax())
    if end - 1 - at > longest:
        yield at, end


def _all_records(text: Bytes, end_of_records: EndOfRecords) -> Iterator[Bytes]:
    """As `_whole_records`, and what is left."""
    for part in _whole_records(text, end_of_records):
        yield part
        text = text[len(part) :]
    if len(text):
        yield text


def _whole_records(text: Bytes, end_of_records: EndOfRecords) -> Iterator[Bytes]:
    at = 0
    while at < len(text):
        if blank := _blank_run(text[at:]):
            yield text[at : at + blank]
            at += blank
            continue
        size = _sparse_size(text[at:])
        while not (end := end_of_records(text[at : at + size])) and at + size < len(text):
            size *= 2
        if not end:
            return
        yield text[at : at + end]
        at += end


def _blank_run(text: Bytes) -> int:
    """How many line ends a text starts with, if many; the last byte may belong to a line end that goes on."""
    if len(text) < BLANK_RUN or not _are_line_ends(text[:BLANK_RUN]).all():
        return 0
    run = _line_ends_at_start(text)
    return run - 1 if run == len(text) and text[-1] == CR else run


def _sparse_size(text: Bytes) -> int:
    """How many bytes of `text` have about MOST_LINES line ends or MOST_QUOTES quotes, or are before many blank lines.

    They are whole pieces, but in the latter case.
    """
    size, lines, quotes = 0, 0, 0
    for piece in _pieces(text):
        n_lines = int(np.count_nonzero(piece == LF)) + int(np.count_nonzero(piece == CR))
        if 2 * n_lines > len(piece) and (start := _first_run(piece)) is not None and size + start:
            return size + start + len(b"\r\n")
        size += len(piece)
        lines += n_lines
        quotes += int(np.count_nonzero(piece == _QUOTE))
        if lines >= MOST_LINES or quotes >= MOST_QUOTES:
            break
    return size


def _first_run(piece: Bytes) -> int | None:
    """Where BLANK_RUN line ends and two, to end the line before them, start in a piece; None if nowhere."""
    others = np.flatnonzero(~_are_line_ends(piece))
    starts = np.append(0, others + 1)
    long = np.flatnonzero(np.append(others, len(piece)) - starts >= BLANK_RUN + len(b"\r\n"))
    return int(starts[long[0]]) if len(long) else None
