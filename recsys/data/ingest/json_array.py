"""JSON arrays as JSON lines: each element is put on its own line, so that a file of any size is read in blocks."""

import re
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from recsys.data.ingest.record_blocks import CR, LF, Bytes

LONGEST_ELEMENT = 1 << 20
"""Bytes after which an element that does not end is taken as damaged."""

_PART = 1 << 20
"""Bytes that are looked at at once: positions of braces take many times the memory of the text."""

Positions = NDArray[np.int64]

_OPEN, _CLOSE, _QUOTE, _SPACE = ord("{"), ord("}"), ord('"'), ord(" ")
_BETWEEN = b" \t\r\n,[]\xef\xbb\xbf"
_BETWEEN_ELEMENTS = np.zeros(256, np.bool_)
_BETWEEN_ELEMENTS[list(_BETWEEN)] = True
_INDENT = re.compile(rb"[\s\[\xef\xbb\xbf]*?\n([ \t]*)\{")
_NEXT_OBJECT = re.compile(rb"(?<=\})\s*,?\s*(?=\{)")


class ElementLines:
    """A `Recode` of one file: an array of objects, or several, to one object per line.

    What stands between objects and is no separator becomes lines of its own. A damaged element ends where the next
    one seems to start: at an object on a line of its own with the indentation of the first, or after `},`.
    """

    def __init__(self) -> None:
        self._rest = b""
        self._next: re.Pattern[bytes] | None = None
        self._indented = False

    def __call__(self, data: bytes, final: bool) -> bytes:
        """The lines of the objects that end in the next bytes of the file."""
        starts = range(0, len(data), _PART)
        lines = [self._next_lines(data[start : start + _PART], final=False) for start in starts[:-1]]
        return b"".join([*lines, self._next_lines(data[starts[-1] :] if starts else data, final=final)])

    def _next_lines(self, data: bytes, *, final: bool) -> bytes:
        text = self._rest + data
        if self._next is None and b"{" in text:
            self._look_at_first(text)
        starts, ends = _objects(np.frombuffer(text, np.uint8))
        size = int(ends[-1]) + 1 if len(ends) else 0
        self._rest = text[size:]
        lines = b"" if not size else self._lines(text[:size], starts[: len(ends)], ends)
        if final or len(self._rest) > LONGEST_ELEMENT:
            lines += self._lines_of_rest(final=final)
        return lines

    def _look_at_first(self, text: bytes) -> None:
        indent = _INDENT.match(text)
        self._indented = indent is not None
        self._next = _NEXT_OBJECT if indent is None else re.compile(rb"\n" + indent[1] + rb"(?=\{)")

    def _lines(self, text: bytes, starts: Positions, ends: Positions) -> bytes:
        data = np.frombuffer(text, np.uint8)
        between = _outside(len(text), starts, ends)
        others = (between & ~_BETWEEN_ELEMENTS[data]).any() or (ends[:-1] + 1 == starts[1:]).any()
        if others or (self._indented and _any_within(self._starts_of_lines(text), starts, ends)):
            return b"".join(map(_line, self._pieces(text, starts, ends)))
        lines = np.where(between | (data == LF) | (data == CR), _SPACE, data)
        lines[ends[:-1] + 1] = LF
        return lines.astype(np.uint8).tobytes() + b"\n"

    def _pieces(self, text: bytes, starts: Positions, ends: Positions) -> Iterator[bytes]:
        """The objects, damaged ones in parts, and all that stands between two commas and is no object."""
        before = 0
        for start, end in zip(starts.tolist(), ends.tolist(), strict=True):
            yield from text[before:start].split(b",")
            yield from self._split(text[start : end + 1]) if self._indented else [text[start : end + 1]]
            before = end + 1

    def _lines_of_rest(self, *, final: bool) -> bytes:
        pieces = self._split(self._rest)
        self._rest = b"" if final or len(pieces) == 1 else pieces.pop()
        return b"".join(map(_line, pieces))

    def _split(self, text: bytes) -> list[bytes]:
        return [text] if self._next is None else self._next.split(text)

    def _starts_of_lines(self, text: bytes) -> Positions:
        found = () if self._next is None else self._next.finditer(text)
        return np.fromiter((match.end() for match in found), np.int64)


def _objects(text: Bytes) -> tuple[Positions, Positions]:
    """Where the outermost objects start and end: int64 (k,) or (k + 1,), and (k,).

    Strings end with their line at the latest, because JSON has no line ends in strings.
    """
    masked = text.tobytes().replace(b"\\\\", b"__").replace(b'\\"', b"__")
    data = np.frombuffer(masked, np.uint8)
    quotes, breaks = np.flatnonzero(data == _QUOTE), np.flatnonzero(data == LF)
    braces = np.flatnonzero((data == _OPEN) | (data == _CLOSE))
    at_line = np.concatenate([[0], np.searchsorted(quotes, breaks)])
    before = np.searchsorted(quotes, braces) - at_line[np.searchsorted(breaks, braces)]
    braces = braces[before % 2 == 0]
    opens = data[braces] == _OPEN
    depth = np.cumsum(np.where(opens, 1, -1))
    depth -= np.minimum.accumulate(np.minimum(depth, 0))
    outer = np.concatenate([[0], depth[:-1]])
    return braces[opens & (outer == 0)], braces[~opens & (outer == 1)]


def _outside(size: int, starts: Positions, ends: Positions) -> NDArray[np.bool_]:
    steps = np.zeros(size + 1, np.int8)
    steps[starts] += 1
    steps[ends + 1] -= 1
    outside: NDArray[np.bool_] = np.cumsum(steps[:-1], dtype=np.int8) == 0
    return outside


def _any_within(positions: Positions, starts: Positions, ends: Positions) -> bool:
    at = np.searchsorted(starts, positions, side="left") - 1
    return bool(((at >= 0) & (positions < ends[np.maximum(at, 0)])).any())


def _line(piece: bytes) -> bytes:
    piece = piece.strip(_BETWEEN)
    return piece.replace(b"\n", b" ").replace(b"\r", b" ") + b"\n" if piece else b""
