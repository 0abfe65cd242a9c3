"""Where the records of a CSV text start and end.

Without quoting, records end with `\\n`, `\\r\\n` or `\\r`, and a quote is text. With quoting, line ends within quoted
parts are text (`csv_quotes.py` has what they are).
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from recsys.data.ingest.csv_dialect import Dialect
from recsys.data.ingest.csv_quote_runs import Positions
from recsys.data.ingest.csv_quotes import Quotes, find_quotes
from recsys.data.ingest.record_blocks import CR, LF, Bytes, last_feed

_LONG_WITHOUT_FEED = 1 << 20
"""Bytes without a line feed after which carriage returns alone are taken to end the lines of a file."""


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
        _marked(quotes.strays, starts),
    )


def _marked(positions: Positions, starts: Positions) -> NDArray[np.bool_]:
    """bool (n,): the records that hold one of these positions."""
    marks = np.zeros(len(starts), np.bool_)
    marks[np.searchsorted(starts, positions, side="right") - 1] = True
    return marks


def _between(positions: Positions, starts: Positions, ends: Positions) -> Positions:
    if not len(positions):
        return np.zeros(len(starts), np.int64)
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
