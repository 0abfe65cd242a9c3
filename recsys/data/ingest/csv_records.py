"""Where the records of a CSV text start and end, with quotes read as pyarrow's parser reads them.

A quote opens a quoted part only as the first byte of a field; within it `""` is a quote and line ends are text; after
the closing quote the field continues as plain text. A quote elsewhere is text too (`5" pipe`). Records end with
`\\n`, `\\r\\n` or `\\r`.
"""

import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.ingest.text_blocks import CR, LF, Bytes, holds, last_feed

Positions = NDArray[np.int64]
_QUOTE = ord('"')


@dataclass(frozen=True, eq=False)
class Records:
    """The records of a text, including blank ones: int64 (n,) each.

    `starts`, `ends`: the bytes of a record without its line end. `nexts`: where the following record starts.
    `n_fields`: its fields. `lines`: the number of its first line, counted from 0.
    """

    starts: Positions
    ends: Positions
    nexts: Positions
    n_fields: Positions
    lines: Positions


def end_of_records(data: Bytes, delimiter: str) -> int:
    """The length of the longest prefix of `data` with whole records only: it ends with a line feed outside quotes."""
    bounds = quote_bounds(data, delimiter)
    end = len(data)
    while (feed := last_feed(data, end)) >= 0:
        before = int(np.searchsorted(bounds, feed))
        if before % 2 == 0:
            return feed + 1
        end = int(bounds[before - 1])
    return 0


def find_records(text: Bytes, delimiter: str) -> Records:
    """Every record of `text`, which must end with a line end outside quotes."""
    bounds = quote_bounds(text, delimiter)
    ends, nexts = _record_ends(text, bounds)
    starts = np.concatenate([[0], nexts])[:-1].astype(np.int64)
    delimiters = _outside(np.flatnonzero(text == ord(delimiter)), bounds)
    n_fields = 1 + np.searchsorted(delimiters, ends) - np.searchsorted(delimiters, starts)
    return Records(starts, ends, nexts, n_fields, np.searchsorted(np.flatnonzero(text == LF), starts))


def _record_ends(text: Bytes, bounds: Positions) -> tuple[Positions, Positions]:
    """int64 (n,): where each record's text ends, and where the next record starts."""
    breaks = _outside(np.flatnonzero((text == LF) | (text == CR)), bounds)
    ended_by_cr = (text[breaks] == LF) & (breaks > 0) & (text[breaks - 1] == CR)
    ends = breaks[~ended_by_cr]
    paired = (text[ends] == CR) & (text[np.minimum(ends + 1, len(text) - 1)] == LF) & (ends + 1 < len(text))
    return ends, ends + 1 + paired


def quote_bounds(text: Bytes, delimiter: str) -> Positions:
    """int64 (m,): the quotes that open and close quoted parts, alternately; the last part may never close."""
    if not holds(text, _QUOTE):
        return np.empty(0, np.int64)
    quotes = np.flatnonzero(text == _QUOTE)
    return quotes if _alternate(text, quotes, delimiter) else _walked_bounds(text, delimiter)


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


def _walked_bounds(text: Bytes, delimiter: str) -> Positions:
    separators = re.escape(delimiter.encode()) + rb"\r\n"
    quoted = re.compile(rb'"(?<![^' + separators + rb']")(?:[^"]++|"")*+("?)')
    parts = quoted.finditer(text.data)
    bounds = (at for part in parts for at in (part.start(), part.end() - 1)[: 1 + bool(part[1])])
    return np.fromiter(bounds, np.int64)


def _outside(positions: Positions, bounds: Positions) -> Positions:
    return positions if not len(bounds) else positions[np.searchsorted(bounds, positions) % 2 == 0]
